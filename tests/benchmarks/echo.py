"""A bare gRPC server to compare with: the least that a sync server in Python does for a call of CheckOperation.

It reads each request and writes an answer, but it is always the same one, and nothing is looked up or decided.
"""

import argparse
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest, CheckOperationResponse

# As in frostgate_server.app, whose import would make this server less bare.
OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 512 * 1024),
    ("grpc.max_concurrent_streams", 128),
]


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answer", required=True, help="the CheckOperationResponse, serialized, in hexadecimal")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    server = serve(CheckOperationResponse.FromString(bytes.fromhex(options.answer)), options.threads)
    told_to_stop.wait()
    server.stop(None).wait()


def serve(answer: CheckOperationResponse, threads: int) -> grpc.Server:
    """A server on a free port of loopback, which it prints."""

    def check_operation(_: CheckOperationRequest, __: grpc.ServicerContext) -> CheckOperationResponse:
        return answer

    handler = grpc.unary_unary_rpc_method_handler(
        check_operation,
        request_deserializer=CheckOperationRequest.FromString,
        response_serializer=CheckOperationResponse.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(threads), options=OPTIONS)
    service = grpc.method_handlers_generic_handler("frostgate.v1.PolicyDecisionService", {"CheckOperation": handler})
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"echo is ready on 127.0.0.1:{port}: {threads} threads", flush=True)
    return server


if __name__ == "__main__":
    main()
