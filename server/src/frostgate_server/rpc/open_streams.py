"""Open streams end when their caller's credential expires or loses its role, also those in which nothing is said.

One thread looks after all streams of a server. It ends them by grpc_internals: gRPC's public interface lets only the
thread that answers a stream end it, and that one may wait for the caller.
"""

import threading
from collections.abc import Set
from time import monotonic

import grpc
from grpc_status import rpc_status

from frostgate_server.auth.interface import Authenticator, StreamPermit
from frostgate_server.domain.errors import FrostgateError
from frostgate_server.domain.roles import Role
from frostgate_server.rpc.grpc_internals import end_stream
from frostgate_server.rpc.status_mapping import to_status

POLL_SECONDS = 0.5
"""Seconds between two looks at the streams."""

READ_TIMEOUT = 2.0
"""Seconds until a stream is cut whose caller reads nothing, not even that it has ended."""


class OpenStreams:
    """The open streams of a server."""

    def __init__(self, authenticator: Authenticator) -> None:
        """Begins to look after them."""
        self._authenticator = authenticator
        self._open: dict[grpc.ServicerContext, StreamPermit] = {}
        self._ending: dict[grpc.ServicerContext, float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="streams", daemon=True).start()

    def admit(self, context: grpc.ServicerContext, method: str, roles: Set[Role]) -> None:
        """Lets a stream be open for as long as its caller may call the method.

        To be called in the thread that answers it. Raises what the authenticator raises.
        """
        admission = self._authenticator.permit_stream(context, method, roles)
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
        while not self._ended.wait(POLL_SECONDS):
            with self._lock:
                admissions = list(self._open.items())
                overdue = [context for context, since in self._ending.items() if monotonic() - since > READ_TIMEOUT]
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
        end_stream(context, rpc_status.to_status(to_status(error)))
