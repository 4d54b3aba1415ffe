"""Server reflection for people with grpcurl, under the name of today and the name of yesterday."""

from collections.abc import Iterable, Iterator

import grpc
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as V1ALPHA
from grpc_reflection.v1alpha.reflection import ReflectionServicer

from frostgate_server.domain.errors import FrostgateError

from .method_handlers import refuse
from .open_streams import OpenStreams
from .thread_pools import POOL_BY_METHOD, ThreadPools, run_in_pool

V1 = "grpc.reflection.v1.ServerReflection"
"""Its messages are those of v1alpha to the byte; only the package has another name."""

_METHOD = "ServerReflectionInfo"


def add_reflection(
    server: grpc.Server, service_names: Iterable[str], pools: ThreadPools, streams: OpenStreams | None
) -> None:
    """Serves reflection on the named services, in threads of its own: a stream keeps one for as long as it is open.

    `streams` lets in those who may, and lets go of those who may no more; None: anyone may.
    """
    servicer = ReflectionServicer([*service_names, V1, V1ALPHA])

    def reflect(
        requests: Iterator[reflection_pb2.ServerReflectionRequest], context: grpc.ServicerContext
    ) -> Iterator[reflection_pb2.ServerReflectionResponse]:
        if streams is not None:
            try:
                streams.admit(context, _METHOD)
            except FrostgateError as error:
                refuse(context, error)
        yield from servicer.ServerReflectionInfo(requests, context)

    run_in_pool(reflect, pools[POOL_BY_METHOD[_METHOD]])
    handler = grpc.stream_stream_rpc_method_handler(
        reflect,
        request_deserializer=_parsed,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in (V1, V1ALPHA):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {_METHOD: handler}),))


def _parsed(serialized: bytes) -> reflection_pb2.ServerReflectionRequest:
    """A request; an empty one, which is answered as invalid, for bytes that are none: a parser that raises leaves its
    stream open for ever."""
    try:
        return reflection_pb2.ServerReflectionRequest.FromString(serialized)
    except DecodeError:
        return reflection_pb2.ServerReflectionRequest()
