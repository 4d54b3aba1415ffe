"""One stream: it receives and sends one message at a time. No thread waits for either."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from frostgate_server.rpc import grpc_internals as internals
from frostgate_server.rpc.reply import DETAILS_KEY, Reply

READ_TIMEOUT = 5.0
"""Seconds after which a stream is cut if its caller does not read."""

_DONE = Reply()


class StreamHandler(Protocol):
    """Serves one kind of stream. The loop calls all methods, so they must return at once."""

    def on_open(self, stream: "StreamCall") -> None:
        """Takes a new stream. Its first message comes after `stream.receive()`."""

    def on_message(self, stream: "StreamCall", message: bytes) -> None:
        """Takes a message. The next one comes after `stream.receive()`."""

    def on_sent(self, stream: "StreamCall") -> None:
        """Called after a message was sent."""

    def on_tick(self, stream: "StreamCall") -> None:
        """Called for an open stream several times a second."""


class StreamCall:
    """A stream that the loop has taken. `send`, `finish` and `receive` may be called in any thread.

    `send` never waits. While a message is being sent, the next message is kept. A newer message replaces it.
    """

    def __init__(self, event: Any, handler: StreamHandler, ended: Callable[["StreamCall"], None]) -> None:
        """Takes the event of a call, and starts to wait for the end of the call."""
        self._call = event.call
        self.metadata: internals.Metadata = event.invocation_metadata
        self.state: Any = None
        self.handler = handler
        self._ended = ended
        self._lock = threading.Lock()
        self._sending_since: float | None = None
        self._kept: bytes | None = None
        self._last: Reply | None = None
        self._finished = False
        self._headers = True
        self._batches = 0
        self._closed = False
        self._start(internals.receive_close, self._on_close)

    def receive(self) -> None:
        """Starts to wait for the next message."""
        with self._lock:
            if not self._closed and self._last is None:
                self._start(internals.receive_message, self._on_message)

    def send(self, message: bytes) -> None:
        """Sends a message, at once or after the message that is being sent."""
        with self._lock:
            self._kept = message
            self._go_on()

    def finish(self, reply: Reply = _DONE) -> None:
        """Ends the stream, after the message that is being sent. `reply` has the status and no message."""
        with self._lock:
            if self._last is None:
                self._last = reply
                self._go_on()

    def cut(self) -> None:
        """Ends the stream at once, even if its caller does not read."""
        with self._lock:
            if not self._closed:
                self._call.cancel()

    def tick(self) -> None:
        """Cuts the stream if its caller does not read. Else calls the handler's `on_tick`."""
        since = self._sending_since
        if since is not None and monotonic() - since > READ_TIMEOUT:
            self.cut()
        else:
            self.handler.on_tick(self)

    def is_active(self) -> bool:
        """Whether the stream is open."""
        return not self._closed

    def invocation_metadata(self) -> internals.Metadata:
        """The headers."""
        return self.metadata

    def auth_context(self) -> dict[str, list[bytes]]:
        """The properties of the connection."""
        return internals.connection_of(self._call)

    def peer(self) -> str:
        """The caller's address and port."""
        return internals.peer_of(self._call)

    def _start(self, batch: Callable[..., None], *arguments: Any, **more: Any) -> None:
        self._batches += 1
        batch(self._call, *arguments, **more)

    def _go_on(self) -> bool:
        """Sends the kept message or the last status, unless a send is in progress. Returns whether it sent one."""
        if self._sending_since is not None or self._closed or self._finished:
            return False
        if self._kept is not None:
            message, self._kept = self._kept, None
            self._start(internals.send_message, message, self._on_sent, headers=self._headers)
        elif self._last is not None:
            last, self._finished = self._last, True
            trailers = ((DETAILS_KEY, last.status),) if last.status else ()
            self._start(
                internals.send_status,
                *(None, last.code, last.details, trailers, self._on_sent),
                headers=self._headers,
                close=False,
            )
        else:
            return False
        self._headers = False
        self._sending_since = monotonic()
        return True

    def _on_message(self, event: Any) -> None:
        self._batch_ended()
        message = internals.message_of(event)
        if message is None:
            self.finish()
        else:
            self.handler.on_message(self, message)

    def _on_sent(self, _: Any) -> None:
        with self._lock:
            self._sending_since = None
            goes_on = self._go_on()
        if not goes_on and not self._finished:
            self.handler.on_sent(self)
        self._batch_ended()

    def _on_close(self, _: Any) -> None:
        with self._lock:
            self._closed = True
        self._batch_ended()

    def _batch_ended(self) -> None:
        with self._lock:
            self._batches -= 1
            if self._batches or not self._closed:
                return
        self._ended(self)
