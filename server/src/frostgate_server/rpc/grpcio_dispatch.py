"""Serves with grpcio's own dispatch, a thread for each call. It is the fallback if the loop fails with some grpcio.

It uses no private part of grpcio. It does not protect against overload and slow readers as the loop does.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeAlias

import grpc

from frostgate_server.domain.errors import FrostgateError

from .dispatch import ServedMethods
from .health import SERVICE as HEALTH
from .health import Health
from .method_handlers import WORKER_METADATA_KEY, MethodHandler
from .methods import METHODS
from .reflection import METHOD, V1, V1ALPHA, Reflection
from .reply import DETAILS_KEY, Reply, health_reply, probe_reply, refusal
from .thread_pools import ThreadPool

TICK_SECONDS = 0.1
"""Seconds between two ticks."""

_RpcHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcioDispatch:
    """Serves all methods with handlers of grpcio."""

    def __init__(self, server: grpc.Server, served: ServedMethods, tick: Callable[[], None]) -> None:
        """`tick` is called several times a second."""
        self._tick = tick
        self._draining = threading.Event()
        self._trailer = (WORKER_METADATA_KEY, str(served.worker))
        self._turns = 0
        handlers: dict[str, _RpcHandler] = {}
        for path, handler in served.handlers.items():
            unary = _UnaryHandler(handler, self._trailer, served.pools[handler.row.pool])
            handlers[path] = grpc.unary_unary_rpc_method_handler(unary)
        health = _HealthHandlers(served.health, self._draining)
        handlers[f"/{HEALTH.full_name}/Check"] = grpc.unary_unary_rpc_method_handler(health.check)
        handlers[f"/{HEALTH.full_name}/Watch"] = grpc.unary_stream_rpc_method_handler(health.watch)
        handlers[served.probe_path] = grpc.unary_unary_rpc_method_handler(_ProbeHandler(served, self._trailer))
        if served.reflection is not None:
            reflection = _ReflectionHandler(served, served.reflection)
            for name in (V1, V1ALPHA):
                handlers[f"/{name}/{METHOD}"] = grpc.stream_stream_rpc_method_handler(reflection)
        server.add_generic_rpc_handlers((_Handlers(handlers),))

    def start(self) -> None:
        threading.Thread(target=self._run, name="dispatch", daemon=True).start()

    def count_turns(self) -> int:
        return self._turns

    def drain(self) -> None:
        self._draining.set()

    def is_idle(self) -> bool:
        return False

    def end(self, _: float) -> bool:
        return True

    def _run(self) -> None:
        while not self._draining.wait(TICK_SECONDS):
            self._tick()
            self._turns += 1


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a path."""

    def __init__(self, handlers: "dict[str, _RpcHandler]") -> None:
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "_RpcHandler | None":
        return self._handlers.get(handler_call_details.method)


class _WaitingCall:
    """A call whose thread waits for its reply."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._reply: Future[Reply] = Future()
        self.auth_context = context.auth_context
        self.invocation_metadata = context.invocation_metadata
        self.is_active = context.is_active
        self.peer = context.peer

    def reply(self, reply: Reply) -> None:
        self._reply.set_result(reply)

    def wait(self) -> Reply:
        return self._reply.result()


class _UnaryHandler:
    """Answers the calls of one method, each in a thread of the method's pool."""

    def __init__(self, handler: MethodHandler, trailer: tuple[str, str], pool: ThreadPool) -> None:
        self._handler = handler
        self._trailer = trailer
        # gRPC runs a handler in the thread pool that this attribute names.
        self.experimental_thread_pool = pool

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        call = _WaitingCall(context)
        caller = self._handler.identify(call)
        if caller is not None:
            self._handler.run(call, caller, request)
        return _finish(context, call.wait(), self._trailer)


class _HealthHandlers:
    """Answers Check and Watch. An open watch occupies a thread."""

    def __init__(self, health: Health, draining: threading.Event) -> None:
        self._health = health
        self._draining = draining

    def check(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        return _finish(context, health_reply(self._health, request))

    def watch(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            watch = self._health.watch(request)
        except FrostgateError as error:
            _finish(context, refusal(error))
        drains = False
        while context.is_active():
            if (message := watch.next_message()) is not None:
                yield message
            if drains:
                return
            drains = self._draining.wait(TICK_SECONDS)


class _ProbeHandler:
    """The worker's check of itself."""

    def __init__(self, served: ServedMethods, trailer: tuple[str, str]) -> None:
        self._decisions = served.decisions
        self._trailer = trailer
        self.experimental_thread_pool = served.pools["checks"]

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        return _finish(context, probe_reply(self._decisions, request), self._trailer)


class _ReflectionHandler:
    """Answers reflection. An open stream occupies a thread."""

    def __init__(self, served: ServedMethods, reflection: Reflection) -> None:
        self._reflection = reflection
        self._authenticator = served.reflection_for
        self.experimental_thread_pool = served.pools["reflection"]

    def __call__(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            if self._authenticator is not None:
                self._authenticator.permit_stream(context, METHOD, METHODS[METHOD].roles)
        except FrostgateError as error:
            _finish(context, refusal(error))
        yield from map(self._reflection.respond, requests)


def _finish(context: grpc.ServicerContext, reply: Reply, *trailers: tuple[str, str]) -> bytes:
    """Ends the call of this thread with a reply. Raises an exception for a refusal, as grpcio requires."""
    details = ((DETAILS_KEY, reply.status),) if reply.status else ()
    context.set_trailing_metadata((*details, *trailers))
    if reply.message is None:
        context.abort(_CODES[reply.code], reply.details)
    return reply.message
