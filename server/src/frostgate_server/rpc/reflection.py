"""Server reflection for people with grpcurl, under its present name and its earlier one."""

from collections.abc import Iterable, Iterator

import grpc
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as V1ALPHA
from grpc_reflection.v1alpha.reflection import ReflectionServicer

from frostgate_server.domain.errors import FrostgateError

from .method_handlers import refuse
from .methods import METHODS
from .open_streams import OpenStreams
from .thread_pools import ThreadPools

V1 = "grpc.reflection.v1.ServerReflection"
"""Its messages are those of v1alpha to the byte; only the package has another name."""

_METHOD = "ServerReflectionInfo"


def add_reflection(
    server: grpc.Server, service_names: Iterable[str], pools: ThreadPools, streams: OpenStreams | None
) -> None:
    """Serves reflection on the named services, in threads of its own: a stream keeps one for as long as it is open.

    `streams` admits those who may call it, and ends the streams of those who no longer may; None: anyone may.
    """
    handler = grpc.stream_stream_rpc_method_handler(
        _ReflectionHandler(service_names, pools, streams),
        request_deserializer=_parsed,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in (V1, V1ALPHA):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {_METHOD: handler}),))


class _ReflectionHandler:
    def __init__(self, service_names: Iterable[str], pools: ThreadPools, streams: OpenStreams | None) -> None:
        self._servicer = ReflectionServicer([*service_names, V1, V1ALPHA])
        self._streams = streams
        # gRPC runs a handler in the thread pool that this attribute names.
        self.experimental_thread_pool = pools[METHODS[_METHOD].pool]

    def __call__(
        self, requests: Iterator[reflection_pb2.ServerReflectionRequest], context: grpc.ServicerContext
    ) -> Iterator[reflection_pb2.ServerReflectionResponse]:
        if self._streams is not None:
            try:
                self._streams.admit(context, _METHOD, METHODS[_METHOD].roles)
            except FrostgateError as error:
                refuse(context, error)
        yield from self._servicer.ServerReflectionInfo(requests, context)


def _parsed(serialized: bytes) -> reflection_pb2.ServerReflectionRequest:
    """A request; an empty one, which is answered as invalid, for bytes that are none: a parser that raises leaves its
    stream open for ever."""
    try:
        return reflection_pb2.ServerReflectionRequest.FromString(serialized)
    except DecodeError:
        return reflection_pb2.ServerReflectionRequest()
