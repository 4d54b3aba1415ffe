"""A server in this process whose calls can be traced: which modules a call runs through, and in which order."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from frostgate_server.config.loading import configure
from frostgate_server.domain.enums import Decision
from frostgate_server.domain.verification_code import CodeKey
from frostgate_server.policy import loader
from frostgate_server.process.port_reservation import reserve_port
from frostgate_server.process.worker_config import WorkerConfig
from frostgate_server.process.worker_server import start_server
from frostgate_server.storage.sqlite.opening import prepare_store
from support.server_process import Connection

PACKAGE = "frostgate_server."

BACKGROUND_THREADS = {"streams", "refusals"}
"""They work by themselves, whether there is a call or not."""

HAND_ON = {"put", "execute", "fdatasync"}
"""Built-in functions by which a call is handed on: into the queue of another thread, to the database, to the disk."""


@dataclass(slots=True)
class Trace:
    """The modules of a call in the order of their first appearance, without the package's name.

    `steps` are those on the call stack when the call is handed on. `visited` are all in which a function ran.
    """

    steps: list[str] = field(default_factory=list)
    visited: list[str] = field(default_factory=list)

    @property
    def helpers(self) -> set[str]:
        """The modules that only computed a value for a step."""
        return set(self.visited) - set(self.steps)


class Tracer:
    """A profile function for all threads that start while it is installed. It records while a `call` is made."""

    def __init__(self) -> None:
        self._trace: Trace | None = None

    def record(self, call: Callable[[], object]) -> Trace:
        """The trace of one call."""
        trace = self._trace = Trace()
        try:
            call()
        finally:
            self._trace = None
        return trace

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        trace = self._trace
        if trace is None or threading.current_thread().name in BACKGROUND_THREADS:
            return
        if event == "call":
            _add(trace.visited, frame)
        elif event == "c_call" and argument.__name__ in HAND_ON:
            for one in reversed(list(_stack(frame))):
                _add(trace.steps, one)


@contextmanager
def traced_server(database: Path) -> Iterator[tuple[Connection, Tracer]]:
    """A connection to a server on a new database, and its tracer. Takes about a second."""
    tracer = Tracer()
    threading.setprofile(tracer)
    try:
        with reserve_port("127.0.0.1:0") as port:
            config = WorkerConfig(
                number=1,
                listeners=port.listeners,
                mtls_listeners=(),
                database=prepare_store(database, create=True),
                policy=loader.load(None, Decision.DENY),
                code_key=CodeKey(b"k" * 32),
                settings=configure({}, {}, None).settings,
                callers_file=None,
                last_good={},
            )
            server = start_server(config)
            try:
                with Connection(port.address) as connection:
                    yield connection, tracer
            finally:
                server.drain(timedelta())
    finally:
        threading.setprofile(None)
        assert sys.getprofile() is None


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _add(modules: list[str], frame: FrameType) -> None:
    """Adds the module of a function of the server. The constructors that dataclasses generate stand in no file."""
    name = str(frame.f_globals.get("__name__", ""))
    if not name.startswith(PACKAGE) or frame.f_code.co_filename == "<string>":
        return
    module = name.removeprefix(PACKAGE)
    if module not in modules:
        modules.append(module)
