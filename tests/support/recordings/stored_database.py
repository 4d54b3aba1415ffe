"""The stored databases of released versions, copied before they are opened."""

import base64
import json
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from google.protobuf.message import Message
from support.recordings.clocked_server import ClockedServer, clocked_server
from support.recordings.raw_calls import Answer, message_of, request_class, with_sorted_metadata

STORED = Path(__file__).parent.parent.parent / "storage" / "stored"
VERSIONS = sorted(directory.name for directory in STORED.glob("v*"))


def decoded(text: str) -> bytes:
    """Bytes from base64."""
    return base64.b64decode(text, validate=True)


@dataclass(frozen=True)
class Call:
    """A call that was answered OK. A listing also has the page token of its answer, and the answer of the next page."""

    caller: str
    method: str
    request: bytes
    response: bytes
    next_page_token: str = ""
    next_response: bytes = b""

    @classmethod
    def read(cls, entry: dict[str, str]) -> "Call":
        """Reads a call from requests.json."""
        method = entry["method"].rpartition("/")[2]
        return cls(
            entry["caller"],
            method,
            decoded(entry["request"]),
            with_sorted_metadata(method, "OK", decoded(entry["response"])),
            entry.get("next_page_token", ""),
            with_sorted_metadata(method, "OK", decoded(entry.get("next_response", ""))),
        )

    def message(self) -> Any:
        """The request."""
        return request_class(self.method).FromString(self.request)

    def next_request(self) -> Message:
        """The request of the next page."""
        message = self.message()
        message.page_token = self.next_page_token
        return cast(Message, message)

    def answer(self) -> Any:
        """The response."""
        return message_of(self.method, "OK", self.response)


class StoredDatabase:
    """A copy of a stored database, and the calls in its requests.json."""

    def __init__(self, source: Path, directory: Path) -> None:
        """Copies the files of `source` to an empty directory."""
        for file in source.iterdir():
            shutil.copy(file, directory)
        self.directory = directory
        self.path = directory / "frostgate.db"
        document = json.loads((directory / "requests.json").read_text("utf-8"))
        self.now = datetime.fromisoformat(document["now"])
        self.callers: list[dict[str, Any]] = document["callers"]
        self.code: dict[str, Any] = document["code"]
        self.kept = [Call.read(entry) for entry in document["kept"]]
        self.pages = [Call.read(entry) for entry in document["pages"]]

    def server(self, *flags: str, later: timedelta = timedelta(0)) -> AbstractContextManager[ClockedServer]:
        """Serves the copy, with the clock at the time of the stored calls, or later."""
        flags = ("--mail-server=log", *flags)
        return clocked_server(self.path, (self.now + later).isoformat(), *flags, callers=self.callers)


def ok(answer: Answer) -> bytes:
    """The response of a call that must succeed."""
    assert answer.is_ok, answer
    return answer.content
