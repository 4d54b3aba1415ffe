"""A gRPC server in the process of the test, with scripted answers that a real server gives seldom."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from support.processes import PATIENCE

Script = Callable[[str, bytes, grpc.ServicerContext], bytes]
"""Takes the name of the RPC, the request and the context, and returns the response."""


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
    """Serves every unary call with the script, and yields the address. At the end, calls in progress are cancelled."""
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
