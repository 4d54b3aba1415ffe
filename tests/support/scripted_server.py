"""A gRPC server in the test's own process, which answers as the test says: for what a real server does seldom."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from support.processes import PATIENCE

Script = Callable[[str, bytes, grpc.ServicerContext], bytes]
"""Takes the name of the RPC, the request and the context, and gives the response."""


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, script: Script) -> None:
        self._script = script

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        name = str(handler_call_details.method).rsplit("/", 1)[-1]
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._script(name, request, context))


@contextmanager
def scripted_server(
    script: Script, address: str = "127.0.0.1:0", *, credentials: grpc.ServerCredentials | None = None
) -> Iterator[str]:
    """Serves every unary call by the script, and gives the address. At its end calls under way are cancelled."""
    with ThreadPoolExecutor(8) as threads:
        server = grpc.server(threads, [_Handler(script)], options=[("grpc.so_reuseport", 0)])
        port = (
            server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
        )
        server.start()
        try:
            yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
        finally:
            assert server.stop(None).wait(PATIENCE)
