"""A server in this process that traces calls: the modules that a call runs through, in order."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from support.server_process import Connection
from support.worker_in_process import worker_in_process
from support.worker_processes import eventually

PACKAGE = "frostgate_server."

BACKGROUND_THREADS = {"refusals", "write-probe"}
"""Modules that work without calls too."""

BACKGROUND_FUNCTIONS = {"rpc.loop.server_loop._tick"}
"""Functions that work without calls too, in a thread that also works for calls."""

GRPC = "rpc.grpc_internals"
"""The module that stands for gRPC itself: its functions decide nothing about a call."""

HAND_ON = {"put", "execute", "fdatasync"}
"""Built-in functions that pass a call on: to the queue of another thread, to the database, to the disk."""

HAND_ON_IN_SERVER = {
    *("rpc.grpc_internals.request", "rpc.grpc_internals.receive_message", "rpc.grpc_internals.receive_close"),
    "rpc.loop.checks.add",
}
"""Functions of the server that pass a call on: to gRPC, and to the waiting checks."""

BEGIN, END = "rpc.loop.server_loop._on_unary", "rpc.loop.server_loop._on_call_end"
"""Called when the loop takes a call, and when the call has ended."""


@dataclass(slots=True)
class Trace:
    """The modules of a call in the order of their first appearance, without the package's name.

    `steps` are the modules on the call stack when the call is passed on. `visited` are all modules in which a function
    ran.
    """

    steps: list[str] = field(default_factory=list)
    visited: list[str] = field(default_factory=list)

    @property
    def helpers(self) -> set[str]:
        """The modules that only compute a value for a step."""
        return set(self.visited) - set(self.steps) - {GRPC}


class Tracer:
    """A profile function for all threads that start while it is installed. It records while a `call` is made."""

    def __init__(self) -> None:
        self._trace: Trace | None = None
        self._begun = 0
        self._ended = 0

    def record(self, call: Callable[[], object]) -> Trace:
        """The trace of one call, from its headers until it has ended."""
        self._wait_for_ends()
        trace = self._trace = Trace()
        begun = self._begun
        try:
            call()
            self._wait_for_ends()
        finally:
            self._trace = None
        assert self._begun == begun + 1
        return trace

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        name = _name(frame)
        self._begun += (event, name) == ("call", BEGIN)
        self._ended += (event, name) == ("return", END)
        trace = self._trace
        if trace is None or event not in {"call", "c_call"} or _is_background(frame):
            return
        if event == "call":
            _add(trace.visited, frame)
        if name in HAND_ON_IN_SERVER if event == "call" else argument.__name__ in HAND_ON:
            for one in reversed(list(_stack(frame))):
                if _module(one) != GRPC:
                    _add(trace.steps, one)

    def _wait_for_ends(self) -> None:
        """Waits until the loop has ended all calls that it has taken. Only this thread makes calls."""
        eventually(lambda: self._ended == self._begun, "ended")


@contextmanager
def traced_server(database: Path) -> Iterator[tuple[Connection, Tracer]]:
    """A connection to a server on a new database, and its tracer. Takes about a second."""
    tracer = Tracer()
    threading.setprofile(tracer)
    try:
        with worker_in_process(database) as (address, _), Connection(address) as connection:
            yield connection, tracer
    finally:
        threading.setprofile(None)
        assert sys.getprofile() is None


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_background(frame: FrameType) -> bool:
    if threading.current_thread().name in BACKGROUND_THREADS:
        return True
    return any(_name(one) in BACKGROUND_FUNCTIONS for one in _stack(frame))


def _module(frame: FrameType) -> str:
    """The module of a function of the server, without the package's name. Empty for others.

    The constructors that dataclasses generate are in no file, and do not count as functions of the server.
    """
    name = str(frame.f_globals.get("__name__", ""))
    if not name.startswith(PACKAGE) or frame.f_code.co_filename == "<string>":
        return ""
    return name.removeprefix(PACKAGE)


def _name(frame: FrameType) -> str:
    """The module and the function."""
    return f"{_module(frame)}.{frame.f_code.co_name}"


def _add(modules: list[str], frame: FrameType) -> None:
    module = _module(frame)
    if module and module not in modules:
        modules.append(module)
