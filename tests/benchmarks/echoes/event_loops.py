"""Bare servers on an event loop."""

import asyncio
import sys

import grpc
import uvloop
from benchmarks.echoes.makes import METHOD, OPTIONS, SERVICE
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest, CheckOperationResponse


def serve(answer: CheckOperationResponse, port: int, *, with_uvloop: bool) -> None:
    """Serves until stdin is closed."""
    if with_uvloop:
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(_serve(answer, port))


async def _serve(answer: CheckOperationResponse, port: int) -> None:
    server = grpc.aio.server(options=OPTIONS)
    method = grpc.unary_unary_rpc_method_handler(
        _Echo(answer).check_operation,
        request_deserializer=CheckOperationRequest.FromString,
        response_serializer=CheckOperationResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: method}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(None)


class _Echo:
    def __init__(self, answer: CheckOperationResponse) -> None:
        self._answer = answer

    async def check_operation(self, _: CheckOperationRequest, __: object) -> CheckOperationResponse:
        return self._answer
