"""Bare servers with a pool of threads."""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
from benchmarks.echoes.makes import METHOD, OPTIONS, SERVICE
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest, CheckOperationResponse
from grpc import _server
from grpc._cython import cygrpc  # type: ignore[attr-defined] # no public part can do this


def serve(answer: CheckOperationResponse, threads: int, port: int) -> None:
    """Serves in gRPC's own way until stdin is closed."""
    _serve(answer, ThreadPoolExecutor(threads), port)


def serve_queued(answer: CheckOperationResponse, threads: int, port: int) -> None:
    """Serves until stdin is closed. A call is queued when its message has come."""
    _serve(answer, _QueuedAfterMessage(threads), port)


def _serve(answer: CheckOperationResponse, threads: ThreadPoolExecutor, port: int) -> None:
    server = grpc.server(threads, options=OPTIONS)
    method = grpc.unary_unary_rpc_method_handler(
        _Echo(answer).check_operation,
        request_deserializer=CheckOperationRequest.FromString,
        response_serializer=CheckOperationResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: method}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(None).wait()


class _Echo:
    def __init__(self, answer: CheckOperationResponse) -> None:
        self._answer = answer

    def check_operation(self, _: CheckOperationRequest, __: grpc.ServicerContext) -> CheckOperationResponse:
        return self._answer


class _QueuedAfterMessage(ThreadPoolExecutor):
    """Threads that are given calls whose message is there."""

    def submit(self, run: Callable[..., Any], /, *call: Any, **_: Any) -> Future[Any]:
        """Asks for the message on gRPC's polling thread. gRPC needs the future only for limits, and there are none."""
        respond, event, state, behavior, _wait, deserializer, serializer = call
        receive = _server._receive_message(state, event.call, deserializer)

        def received(arrived: Any) -> Any:
            finished = receive(arrived)
            queue = super(_QueuedAfterMessage, self).submit
            queue(run, respond, event, state, behavior, lambda: _take_request(state), deserializer, serializer)
            return finished

        with state.condition:
            event.call.start_server_batch((cygrpc.ReceiveMessageOperation(0),), received)
            state.due.add(_server._RECEIVE_MESSAGE_TOKEN)
        return Future()


def _take_request(state: Any) -> Any:
    with state.condition:
        request, state.request = state.request, None
        return request
