"""All use of private parts of grpcio: a second completion queue beside the one of a `grpc.server`.

`grpc.server` gives each call a thread, several Python objects and five events. The second queue takes the calls of the
methods that are registered for it. It works on the same server, with the same addresses, TLS, sizes and connections.
These parts of grpcio are not public, so pyproject.toml allows only the versions of grpcio that were tested.
"""

from collections.abc import Sequence
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined] # no public part can do this

from frostgate_server.domain.errors import StartupError

Metadata = Sequence[tuple[str, str | bytes]]

_NO_FLAGS = 0
_PARTS = (
    ("CompletionQueue", ("poll", "shutdown")),
    ("CompletionType", ("queue_timeout", "queue_shutdown")),
    ("Server", ("register_completion_queue", "register_method", "request_registered_call")),
    ("Call", ("start_server_batch", "cancel", "peer")),
    ("ReceiveMessageOperation", ("message",)),
    ("ReceiveCloseOnServerOperation", ("cancelled",)),
    ("SendInitialMetadataOperation", ()),
    ("SendMessageOperation", ()),
    ("SendStatusFromServerOperation", ()),
    ("auth_context", ()),
)


def ensure_supported(server: grpc.Server) -> None:
    """Raises StartupError with the names of the parts that the installed grpcio lacks."""
    missing = [] if hasattr(getattr(server, "_state", None), "server") else ["grpc.server()._state.server"]
    for name, attributes in _PARTS:
        part = getattr(cygrpc, name, None)
        if part is None:
            missing.append(f"cygrpc.{name}")
        missing += [f"cygrpc.{name}.{attribute}" for attribute in attributes if part and not hasattr(part, attribute)]
    if missing:
        raise StartupError(
            f"grpcio {grpc.__version__} has no {', '.join(missing)}: install a version that frostgate-server allows, "
            "or set call_dispatch = grpcio"
        )


class CallQueue:
    """A completion queue that takes the calls of all its methods in one thread.

    An event has a `tag`: a function that is to be called with the event. Starting a batch after the queue is shut down
    ends the process. So call `shut_down` only after the server has stopped and the last batch has ended.
    """

    def __init__(self, server: grpc.Server) -> None:
        """Registers the queue with a server that has not started."""
        self._queue = cygrpc.CompletionQueue()
        self._server: Any = server._state.server  # type: ignore[attr-defined] # see the head of this module
        self._server.register_completion_queue(self._queue)

    def register(self, path: str) -> None:
        """Takes the calls of the method at `path`, once the server has started."""
        self._server.register_method(path)

    def request(self, path: str, tag: Any) -> bool:
        """Asks gRPC for one more call of the method. Returns False if the server has stopped."""
        try:
            self._server.request_registered_call(self._queue, self._queue, path, tag)
        except ValueError:
            return False
        return True

    def poll(self, until: float) -> Any:
        """The next event. None if none comes before `until` (seconds since the epoch), or if the queue is shut down."""
        event = self._queue.poll(until)
        return event if event.tag is not None else None

    def shut_down(self) -> None:
        """Shuts the queue down. No batch may be in progress."""
        self._queue.shutdown()
        while self._queue.poll().completion_type != cygrpc.CompletionType.queue_shutdown:
            pass


_SEND_INITIAL_METADATA = cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS)
_IGNORE_CLOSE = cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS)
"""Neither of the two keeps data of a call, so all calls share them."""


def receive_message(call: Any, tag: Any) -> None:
    """Starts to receive a message. Read it with `message_of(event)`."""
    _start(call, (cygrpc.ReceiveMessageOperation(_NO_FLAGS),), tag)


def message_of(event: Any) -> bytes | None:
    """The message that came with the event of `receive_message`. None if there is none."""
    message: bytes | None = event.batch_operations[0].message()
    return message


def receive_close(call: Any, tag: Any) -> None:
    """Starts to wait for the end of the call: the caller cancels it, or its answer is sent."""
    _start(call, (cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),), tag)


def was_cancelled(event: Any) -> bool:
    """Whether the event of `receive_close` says that the caller is gone."""
    cancelled: bool = event.batch_operations[0].cancelled()
    return cancelled


def send_answer(call: Any, message: bytes, trailers: Metadata, tag: Any) -> None:
    """Answers a unary call and waits for its end, in one batch. `receive_close` must not have been started."""
    operations = (
        _SEND_INITIAL_METADATA,
        cygrpc.SendMessageOperation(message, _NO_FLAGS),
        cygrpc.SendStatusFromServerOperation(trailers, 0, b"", _NO_FLAGS),
        _IGNORE_CLOSE,
    )
    _start(call, operations, tag)


def send_status(
    call: Any,
    message: bytes | None,
    code: int,
    details: str,
    trailers: Metadata,
    tag: Any,
    *,
    headers: bool,
    close: bool,
) -> None:
    """Ends a call, with or without a message.

    `headers`: also sends the headers, as none were sent yet. `close`: also waits for the end of the call.
    """
    operations = [cygrpc.SendStatusFromServerOperation(trailers, code, details.encode(), _NO_FLAGS)]
    if headers:
        operations.append(_SEND_INITIAL_METADATA)
    if message is not None:
        operations.append(cygrpc.SendMessageOperation(message, _NO_FLAGS))
    if close:
        operations.append(_IGNORE_CLOSE)
    _start(call, tuple(operations), tag)


def send_message(call: Any, message: bytes, tag: Any, *, headers: bool) -> None:
    """Sends a message of a stream. `headers`: it is the first one."""
    operations = [cygrpc.SendMessageOperation(message, _NO_FLAGS)]
    if headers:
        operations.append(_SEND_INITIAL_METADATA)
    _start(call, tuple(operations), tag)


def _start(call: Any, operations: tuple[Any, ...], tag: Any) -> None:
    """Starts a batch. Raises RuntimeError if gRPC refuses it, because the tag would never be called."""
    error = call.start_server_batch(operations, tag)
    if error:
        raise RuntimeError(f"gRPC refused operations of a call: error {error}")


def peer_of(call: Any) -> str:
    """The caller's address, such as ipv4:127.0.0.1:50000 or unix:."""
    peer: bytes = call.peer()
    return peer.decode("utf-8", "replace")


def connection_of(call: Any) -> dict[str, list[bytes]]:
    """The properties of the call's connection: `grpc.ServicerContext.auth_context()`."""
    return {key.decode(): values for key, values in (cygrpc.auth_context(call) or {}).items()}
