"""Open streams end when their caller's credential expires or loses its role, also those in which nothing is said.

One thread looks after all streams of a server. It ends them with grpc's inner parts, since what is public lets only the
thread that answers a stream end it, and that one may wait for the caller.
"""

import threading
from time import monotonic
from typing import Any

import grpc
from grpc import _common, _server
from grpc_status import rpc_status

from frostgate_server.auth.interface import Admission, Door
from frostgate_server.domain.errors import FrostgateError

from .status_mapping import status_of

TURN = 0.5
"""Seconds between two looks at the streams."""

PATIENCE = 2.0
"""Seconds until a stream is cut whose caller reads nothing, not even that it has ended."""


class Streams:
    """The open streams of a server."""

    def __init__(self, door: Door) -> None:
        """Begins to look after them."""
        self._door = door
        self._open: dict[grpc.ServicerContext, Admission] = {}
        self._ending: dict[grpc.ServicerContext, float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="streams", daemon=True).start()

    def admit(self, context: grpc.ServicerContext, method: str) -> None:
        """Lets a stream be open for as long as its caller may call the method.

        To be called in the thread that answers it. Raises what the door raises.
        """
        admission = self._door.admission(context, method)
        with self._lock:
            self._open[context] = admission
        if not context.add_callback(lambda: self._forget(context)):
            self._forget(context)

    def end(self) -> None:
        """Looks after them no more."""
        self._ended.set()

    def _forget(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            self._open.pop(context, None)
            self._ending.pop(context, None)

    def _run(self) -> None:
        while not self._ended.wait(TURN):
            with self._lock:
                admissions = list(self._open.items())
                overdue = [context for context, since in self._ending.items() if monotonic() - since > PATIENCE]
            for context in overdue:
                context.cancel()
                self._forget(context)
            for context, admission in admissions:
                try:
                    admission.ensure_holds()
                except FrostgateError as error:
                    self._end(context, error)

    def _end(self, context: grpc.ServicerContext, error: FrostgateError) -> None:
        with self._lock:
            if self._open.pop(context, None) is None:
                return
            self._ending[context] = monotonic()
        end_stream(context, error)


def end_stream(context: Any, error: FrostgateError) -> None:
    """Ends a stream with an error's status, from any thread. Nothing happens if it has ended already."""
    status: Any = rpc_status.to_status(status_of(error))
    state, call = context._state, context._rpc_event.call
    with state.condition:
        if not _server._is_rpc_state_active(state):
            return
        trailing = state.trailing_metadata or ()
        state.trailing_metadata = (*trailing, *status.trailing_metadata)
        state.aborted = True
        _server._abort(
            state, call, _common.STATUS_CODE_TO_CYGRPC_STATUS_CODE[status.code], _common.encode(status.details)
        )
        # Whoever waits for the caller's next message shall look again.
        state.condition.notify_all()
