"""Recordings of the wire: calls of a real server, and its answers byte for byte.

A recording is a file of JSON lines, and has everything that a replay needs. A line with `clock` starts a new server on
the same database, which the first server creates. Then the calls below it are made in order:

    clock      the fixed time of the server's clock
    settings   flags; {directory} stands for the directory of the server, {closed_port} for a port without a listener
    callers    the tables of callers; without them, the server takes anonymous callers on loopback
    files      files to write into the directory before the start, by name
    sql        statements to run on the database before the start

A line with `method` is a call:

    caller     see ClockedServer.call_raw; absent: the caller sends no credential
    request    the request in text format, in which {code} stands for the verification code that was sent last
    bytes      the request in base64, if it is not a message in text format
    code       the status code, if the call fails
    message    the details string, if the call fails
    answer     in base64: the response, or the trailing metadata grpc-status-details-bin if the call fails

Every answer has `frostgate-worker: 1` in its trailing metadata, and no other metadata than these. The entries of
ErrorInfo.metadata are sorted by key, because protobuf serializes them in any order.
"""

import base64
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pysqlite3 as sqlite3  # noqa: TID251 - recordings do not use modules of the server
from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message
from support.recordings.clocked_server import Callers, ClockedServer, clocked_server
from support.recordings.raw_calls import Answer, described, message_of, method_of, one_line, request_class

DATABASE = "frostgate.db"
CODE = "{code}"
WORKER = "1"

Line = dict[str, Any]


class Recorder:
    """Makes calls, and records them with their answers."""

    def __init__(self, directory: Path) -> None:
        """Serves a database in an empty directory."""
        self._directory = directory
        self._server: ClockedServer | None = None
        self.lines: list[Line] = []

    @contextmanager
    def run(
        self,
        clock: str,
        *settings: str,
        callers: Callers = (),
        files: Mapping[str, str] | None = None,
        sql: Sequence[str] = (),
    ) -> Iterator[None]:
        """Serves during the block."""
        line = {"clock": clock, "settings": settings, "callers": callers, "files": files, "sql": sql}
        self.lines.append({key: value for key, value in line.items() if value})
        with _served(self.lines[-1], self._directory) as self._server:
            yield

    def call(self, request: Message, caller: str = "") -> Any:
        """Calls the method that takes this request. Returns the response, or the status of a call that fails."""
        return self.call_raw(method_of(request), request.SerializeToString(), caller)

    def call_raw(self, method: str, request: bytes, caller: str = "") -> Any:
        """Calls a method with bytes that may be malformed."""
        line: Line = {"caller": caller} if caller else {}
        line |= {"method": method, **_written(method, request)}
        assert self._server is not None, "calls are made in a run"
        answer = _answer(self._server, line)
        self.lines.append({**line, **_outcome(answer)})
        return message_of(method, answer.code, answer.content)

    def pages(self, request: Any, caller: str = "") -> list[str]:
        """Reads a listing to its end. Returns the page tokens. The page size must be small enough for two pages."""
        request, tokens = type(request).FromString(request.SerializeToString()), []
        while token := self.call(request, caller).next_page_token:
            tokens.append(token)
            request.page_token = token
        return tokens

    def write(self, file: Path) -> None:
        """Writes the recording."""
        file.write_text("".join(json.dumps(line) + "\n" for line in self.lines), "utf-8")


def replay(recording: Path, directory: Path) -> list[str]:
    """Makes the calls of a recording, with an empty directory for the server. Describes each answer that differs."""
    differences: list[str] = []
    lines = read(recording)
    starts = [number for number, line in enumerate(lines) if "clock" in line]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        with _served(lines[start], directory) as server:
            for number, line in enumerate(lines[start + 1 : end], start=start + 2):
                answer = _answer(server, line)
                if _outcome(answer) != {key: line[key] for key in ("code", "message", "answer") if key in line}:
                    differences.append(f"{recording.name}, line {number}: {_difference(line, answer)}")
    return differences


def read(recording: Path) -> list[Line]:
    """Reads the lines of a recording."""
    with recording.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def shown(line: Line) -> str:
    """A line for people, with the answer in text format."""
    return json.dumps(line) if "clock" in line else f"{_call(line)}\n{described(line['method'], _recorded(line))}\n"


@contextmanager
def _served(run: Line, directory: Path) -> Iterator[ClockedServer]:
    """Starts the server of a run."""
    for name, content in run.get("files", {}).items():
        (directory / name).write_text(content, "utf-8")
    for statement in run.get("sql", ()):
        with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
            assert connection.execute(statement).rowcount == 1, statement
    with closing(socket.socket()) as closed:
        # While the socket is open, the port is in use. It refuses connections, because nothing listens on it.
        closed.bind(("127.0.0.1", 0))
        values = {"{directory}": str(directory), "{closed_port}": str(closed.getsockname()[1])}
        flags = [_filled(flag, values) for flag in run.get("settings", ())]
        with clocked_server(directory / DATABASE, run["clock"], *flags, callers=run.get("callers", ())) as server:
            yield server


def _filled(flag: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        flag = flag.replace(name, value)
    return flag


def _answer(server: ClockedServer, line: Line) -> Answer:
    """Makes the call of a line."""
    if "bytes" in line:
        request = base64.b64decode(line["bytes"])
    else:
        text = line["request"]
        text = text.replace(CODE, server.sent_code()) if CODE in text else text
        request = text_format.Parse(text, request_class(line["method"])()).SerializeToString()
    answer = server.call_raw(line["method"], request, line.get("caller", ""))
    assert answer.worker == WORKER, answer
    return answer


def _written(method: str, request: bytes) -> Line:
    """The request in text format, if parsing the text gives the same bytes."""
    try:
        text = one_line(request_class(method).FromString(request))
        if text_format.Parse(text, request_class(method)()).SerializeToString() == request:
            return {"request": text}
    except (DecodeError, text_format.ParseError):
        pass
    return {"bytes": base64.b64encode(request).decode()}


def _outcome(answer: Answer) -> Line:
    content = {"answer": base64.b64encode(answer.content).decode()}
    return content if answer.is_ok else {"code": answer.code, "message": answer.message, **content}


def _recorded(line: Line) -> Answer:
    return Answer(line.get("code", "OK"), line.get("message", ""), base64.b64decode(line["answer"]), WORKER)


def _call(line: Line) -> str:
    return f"{line['method']} by {line.get('caller', 'anonymous')!r}: {line.get('request') or line.get('bytes', '')}"


def _difference(line: Line, answer: Answer) -> str:
    method = line["method"]
    return f"{_call(line)}\nrecorded: {described(method, _recorded(line))}\nnow: {described(method, answer)}\n"
