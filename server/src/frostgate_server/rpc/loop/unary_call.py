"""One unary call: from its headers to the end of its last batch."""

import logging
from collections.abc import Callable
from time import monotonic, time
from typing import Any, Protocol
from uuid import uuid4

from frostgate_server.domain.errors import InternalError
from frostgate_server.rpc import grpc_internals as internals
from frostgate_server.rpc.reply import DETAILS_KEY, NO_MESSAGE, Reply, refusal

_log = logging.getLogger(__name__)


class UnaryMethod(Protocol):
    """Serves the calls of one unary method. All methods run in the loop's thread and return at once."""

    def admit(self, call: "UnaryCall") -> bool:
        """Whether to receive the call's message. A call that is not admitted is answered with OVERLOADED."""

    def on_message(self, call: "UnaryCall") -> None:
        """Takes a call whose message has arrived."""

    def on_reply(self, call: "UnaryCall") -> None:
        """Called in any thread when the call is answered with `reply`. The caller may not have read the answer yet."""

    def on_end(self, call: "UnaryCall") -> None:
        """Called after the last batch of the call has ended."""


class UnaryCall:
    """A call that the loop has taken.

    `reply` may be called once, in any thread. `cut` may be called in any thread. The other methods run in the loop's
    thread. The loop keeps the call until its last batch has ended, and not longer: a call that is kept counts against
    the limit of its connection.
    """

    __slots__ = (
        *("_call", "_cancelled", "_closed", "_ended", "_replied", "_trailers"),
        *("answered_at", "deadline", "has_message", "is_watched", "message", "metadata", "method"),
    )

    def __init__(
        self,
        event: Any,
        method: "UnaryMethod",
        trailers: internals.Metadata,
        ended: Callable[["UnaryCall"], None],
    ) -> None:
        """Takes the event of a call. `ended` is called after the last batch of the call has ended."""
        self._call = event.call
        self.method = method
        self.deadline: float = event.call_details.deadline
        self.metadata: internals.Metadata = event.invocation_metadata
        self.has_message = False
        self.answered_at = 0.0
        self.message = b""
        self._trailers = trailers
        self._ended = ended
        self.is_watched = self._closed = False
        self._cancelled = False
        self._replied = False

    def receive(self) -> None:
        """Starts to wait for the message."""
        internals.receive_message(self._call, self._on_message)

    def watch(self) -> None:
        """Starts to watch whether the caller is gone. Must be called before the call goes to another thread."""
        self.is_watched = True
        internals.receive_close(self._call, self._on_close)

    def answer(self, message: bytes) -> None:
        """Answers a call that is not watched."""
        self.answered_at = monotonic()
        internals.send_answer(self._call, message, self._trailers, self._on_answer)

    def reply(self, reply: Reply) -> None:
        """Answers the call."""
        self.answered_at = monotonic()
        self.method.on_reply(self)
        trailers = self._trailers
        if reply.status:
            trailers = ((DETAILS_KEY, reply.status), *trailers)
        internals.send_status(
            self._call,
            reply.message,
            reply.code,
            reply.details,
            trailers,
            self._on_answer,
            headers=True,
            close=not self.is_watched,
        )

    def drop(self) -> None:
        """Ends a call without an answer: its caller no longer waits. The call must not be watched."""
        self._end()

    def give_up(self, reply: Reply) -> None:
        """Answers a call whose message has not arrived. A message that arrives later is ignored."""
        self.has_message = True
        self.reply(reply)

    def fail(self, error: Exception) -> None:
        """Answers a call that the loop failed to handle, so that the call ends and the loop goes on."""
        bug = InternalError(call_id=str(uuid4()))
        _log.error("the call with call_id %s failed in the loop", bug.variables["call_id"], exc_info=error)
        if not self.answered_at:
            self.reply(refusal(bug))

    def cut(self) -> None:
        """Ends a call whose answer is not read. May be called in any thread, also after the end."""
        call = self._call
        if call is not None:
            call.cancel()

    def is_active(self) -> bool:
        """Whether the caller still waits."""
        return not self._cancelled and self.deadline > time()

    def invocation_metadata(self) -> internals.Metadata:
        """The headers."""
        return self.metadata

    def auth_context(self) -> dict[str, list[bytes]]:
        """The properties of the connection."""
        return internals.connection_of(self._call)

    def peer(self) -> str:
        """The caller's address and port."""
        return internals.peer_of(self._call)

    def _on_message(self, event: Any) -> None:
        if self.has_message:
            return
        self.has_message = True
        message = internals.message_of(event)
        if message is None:
            self.reply(NO_MESSAGE)
            return
        self.message = message
        try:
            self.method.on_message(self)
        except Exception as error:  # noqa: BLE001 - an error of one call must not stop the loop
            self.fail(error)

    def _on_close(self, event: Any) -> None:
        self._cancelled = internals.was_cancelled(event)
        self._closed = True
        if self._replied:
            self._end()

    def _on_answer(self, _: Any) -> None:
        self._replied = True
        if self._closed or not self.is_watched:
            self._end()

    def _end(self) -> None:
        self._ended(self)
        self._call = None
