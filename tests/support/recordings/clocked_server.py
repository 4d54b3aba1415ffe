"""A real server with a clock that only the test changes, and calls of its callers in bytes."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from support import server_process
from support.access import Access
from support.credentials import bearer
from support.recordings.raw_calls import Answer, call, method_of
from support.server_process import Connection, ServerProcess
from support.worker_processes import eventually

CLOCK = Path(__file__).parent.parent / "fixed_clock"
_CODE = re.compile(r"^Verification code: ([0-9]{8})$", re.MULTILINE)

Callers = Sequence[dict[str, Any]]
"""The tables of callers: principal, role, and partners if the role has them."""


class ClockedServer:
    """A server with one worker, and connections of its callers."""

    def __init__(self, server: ServerProcess, clock: Path, access: Access | None, opened: ExitStack) -> None:
        """Takes a running server and the file of its clock. Connections by certificate are closed with `opened`."""
        self.process = server
        self._clock = clock
        self._access = access
        self._opened = opened
        self._by_certificate: dict[str, Connection] = {}
        self._sent = len(self._codes())

    def call(self, request: Message, caller: str = "") -> Answer:
        """Calls the method that takes this request."""
        return self.call_raw(method_of(request), request.SerializeToString(), caller)

    def call_raw(self, method: str, request: bytes, caller: str = "") -> Answer:
        """Calls a method.

        A caller is a principal, which sends a token (sub:) or a certificate (spiffe: and dns:). "certificate" sends a
        certificate without a name, and "token TEXT" sends this text as a token. An empty caller sends no credential.
        """
        answer = self._call(method, request, caller)
        self._sent += method == "SendVerificationCode" and answer.is_ok
        return answer

    def set_clock(self, time: str) -> None:
        """Sets the clock to a time in ISO format, for all later calls."""
        set_clock(self._clock, time)

    def sent_code(self) -> str:
        """The verification code that was sent last: --mail-server=log writes mails to the log.

        A thread of the server writes the log, so the answer may come before the code is in the log.
        """
        codes = eventually(lambda: codes if len(codes := self._codes()) >= self._sent else None, "logged all codes")
        return str(codes[-1])

    def _codes(self) -> list[str]:
        return _CODE.findall(self.process.log.read_text("utf-8"))

    def _call(self, method: str, request: bytes, caller: str) -> Answer:
        kind, _, text = caller.partition(" ")
        if not caller:
            return call(self.process.channel, method, request)
        assert self._access is not None, "only a server with callers takes credentials"
        if kind == "token":
            return call(self.process.channel, method, request, bearer(text))
        if caller.startswith("sub:"):
            token = self._access.token(caller.removeprefix("sub:"))
            return call(self.process.channel, method, request, token)
        return call(self._connection_by_certificate(caller).channel, method, request)

    def _connection_by_certificate(self, caller: str) -> Connection:
        if caller not in self._by_certificate:
            assert self._access is not None
            names: dict[str, list[str]] = {}
            if caller.startswith("spiffe:"):
                names["uris"] = [caller]
            if caller.startswith("dns:"):
                names["hosts"] = [caller.removeprefix("dns:")]
            connection = self._opened.enter_context(self._access.by_certificate(self.process, **names))
            self._by_certificate[caller] = connection
        return self._by_certificate[caller]


@contextmanager
def clocked_server(
    database: Path, clock: str, *flags: str, callers: Callers = (), access: Access | None = None
) -> Iterator[ClockedServer]:
    """Serves a database. `clock` is the time in ISO format. At the end the server must stop cleanly.

    With `callers`, the server speaks TLS and knows them. `access` has their keys; without it, new ones are made.
    """
    file = database.with_name(f"{database.name}.clock")
    set_clock(file, clock)
    variables = {"PYTHONPATH": str(CLOCK), "FIXED_CLOCK": str(file.absolute())}
    with ExitStack() as opened:
        if callers:
            access = access or Access(database.parent)
            access.write_callers({}, "".join(map(_table, callers)))
            flags = ("--listen=localhost:0", f"--config={access.config}", *flags)
        credentials = access.authority.channel() if access and callers else None
        process = ServerProcess(database, "--workers=1", *flags, variables=variables, credentials=credentials)
        with process as server:
            yield ClockedServer(server, file, access, opened)
            opened.close()
            assert server.stop() == 0, server.log.read_text("utf-8")


def set_clock(file: Path, time: str) -> None:
    """Writes a time into the file of a clock, in one step: a reader never sees a part of it."""
    written = file.with_name(f"{file.name}-new")
    written.write_text(time)
    written.replace(file)


def use_server(command: str) -> None:
    """Makes every server start with another command: a frostgate-server, or a python in which one is installed."""
    is_python = Path(command).name.startswith("python")
    server_process.COMMAND[:] = [command, "-m", "frostgate_server"] if is_python else [command]


def _table(caller: dict[str, Any]) -> str:
    """A caller as a table of the configuration file. JSON strings and lists are TOML too."""
    return "\n[[callers]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in caller.items())
