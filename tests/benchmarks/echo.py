"""A bare gRPC server to compare with: the least that a server in Python does for a call of CheckOperation.

It reads each request and writes an answer, but it is always the same one, and nothing is looked up or decided. The same
program is a group of such servers that share a port, as frostgate's workers do.
"""

import argparse
import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import uvloop
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest, CheckOperationResponse

SERVICE = "frostgate.v1.PolicyDecisionService"

# As in frostgate_server.process.worker_server, whose import would make this server less bare.
OPTIONS = [
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", 512 * 1024),
    ("grpc.max_concurrent_streams", 128),
]


def main() -> None:
    """Serves until SIGTERM or SIGINT, or until stdin is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answer", required=True, help="the CheckOperationResponse, serialized, in hexadecimal")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2, help="of each process that is not asynchronous")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], help="serve asynchronously")
    parser.add_argument("--port", type=int, help="be one of the processes")
    options = parser.parse_args()
    if options.port is None:
        _serve_together(options.processes)
        return
    answer = CheckOperationResponse.FromString(bytes.fromhex(options.answer))
    if options.loop == "uvloop":
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    if options.loop:
        asyncio.run(_serve_asynchronously(answer, options.port))
    else:
        _serve(answer, options.threads, options.port)


def _serve_together(processes: int) -> None:
    """Starts the processes, and says when all are ready."""
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        command = [sys.executable, *sys.argv, "--port", str(port)]
        started = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        print(f"echo is ready on 127.0.0.1:{port}: {processes} processes", flush=True)
        told_to_stop.wait()
        for process in started:
            process.communicate()


def _handler(check: Callable[..., object]) -> grpc.GenericRpcHandler:
    method = grpc.unary_unary_rpc_method_handler(
        check,
        request_deserializer=CheckOperationRequest.FromString,
        response_serializer=CheckOperationResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"CheckOperation": method})


def _serve(answer: CheckOperationResponse, threads: int, port: int) -> None:
    def check_operation(_: CheckOperationRequest, __: grpc.ServicerContext) -> CheckOperationResponse:
        return answer

    server = grpc.server(ThreadPoolExecutor(threads), options=OPTIONS)
    server.add_generic_rpc_handlers((_handler(check_operation),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(None).wait()


async def _serve_asynchronously(answer: CheckOperationResponse, port: int) -> None:
    async def check_operation(_: CheckOperationRequest, __: object) -> CheckOperationResponse:
        return answer

    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((_handler(check_operation),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    main()
