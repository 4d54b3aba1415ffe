"""All use of private parts of grpcio: unary calls are queued with their message, and streams are ended from outside.

Left to itself, gRPC gives a unary call a thread as soon as its headers are there, and lets it wait for the message: as
many callers as there are threads, who send headers and nothing else, stop a server. Here the message is asked for on
gRPC's own polling thread, and the call is queued when it is there, which also spares each call a change of threads.

This is done with grpc's inner parts, so that the versions of grpcio are pinned to those it was tried with.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from grpc import _common, _server
from grpc._cython import cygrpc  # type: ignore[attr-defined] # no public part can do this

Queue = Callable[..., Future[Any]]


@dataclass(frozen=True, slots=True)
class UnaryCall:
    """What can be known of a unary call before its turn."""

    _event: Any

    @property
    def metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """Its headers."""
        return self._event.invocation_metadata or ()

    def has_certificate(self) -> bool:
        """Whether its caller showed one in the handshake."""
        return b"x509_pem_cert" in (cygrpc.auth_context(self._event.call) or {})


def get_unary_call(arguments: tuple[Any, ...]) -> UnaryCall:
    """The unary call of which these are the arguments, as they are queued."""
    return UnaryCall(arguments[1])


def is_unary(arguments: tuple[Any, ...]) -> bool:
    """Whether grpc hands over a unary call, by the function that it wants to be run."""
    return bool(arguments) and arguments[0] is _server._unary_response_in_pool


def queue_after_message(
    queue: Queue,
    run: Callable[..., Any],
    respond: Callable[..., Any],
    event: Any,
    state: Any,
    behavior: Callable[..., Any],
    _: Callable[[], Any],
    deserializer: Callable[[bytes], Any],
    serializer: Callable[[Any], bytes],
) -> Future[Any]:
    """Queues the call once it has its message, or its caller is gone. Gives a future that ends with the call."""
    done: Future[Any] = Future()

    def message() -> Any:
        with state.condition:
            if state.request is None and state.client is _server._CLOSED:
                _server._abort(state, event.call, cygrpc.StatusCode.unimplemented, b"exactly one message is required")
            taken, state.request = state.request, None
            return taken

    receive = _server._receive_message(state, event.call, deserializer)

    def received(arrived: Any) -> Any:
        finished = receive(arrived)
        queued = queue(run, respond, event, state, behavior, message, deserializer, serializer)
        queued.add_done_callback(lambda _: done.set_result(None))
        return finished

    with state.condition:
        if not _server._is_rpc_state_active(state):
            done.set_result(None)
            return done
        event.call.start_server_batch((cygrpc.ReceiveMessageOperation(_server._EMPTY_FLAGS),), received)
        state.due.add(_server._RECEIVE_MESSAGE_TOKEN)
    return done


def end_stream(context: Any, status: Any) -> None:
    """Ends a stream with a status, from any thread. Does nothing if the stream has ended.

    `status` is a grpc.Status: code, details and trailing metadata.
    """
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
        # Wake the thread that waits for the caller's next message.
        state.condition.notify_all()
