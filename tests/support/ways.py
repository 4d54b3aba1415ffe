"""A method for each way of a unary call through a server. The calls are made in bytes, which the test chooses."""

from contextlib import suppress
from typing import Any

import grpc
from frostgate.v1.policy_decision_service_pb2 import BatchCheckOperationsRequest
from google.protobuf.message import Message
from support.calls import check_of
from support.every_call import METHODS, request_of
from support.processes import PATIENCE
from support.server_process import Connection

WAYS = {
    "check": "CheckOperation",
    "batch": "BatchCheckOperations",
    "rules": "ListRules",
    "list": "ListFreezeEvents",
    "change": "AssociateCustomer",
}
"""The loop, a pool or the commit thread answers them. On an empty server all are answered with OK."""

CALLS_AT_ONCE = 4
"""Of one connection."""

LARGEST_REQUEST = 512 * 1024

_PADDING_FIELD = 1000
"""No request has a field of this number."""


def path_of(way: str) -> str:
    """Such as /frostgate.v1.PolicyDecisionService/CheckOperation."""
    method = METHODS[WAYS[way]]
    return f"/{method.containing_service.full_name}/{method.name}"


def request(way: str) -> bytes:
    """A valid request, each time for another customer."""
    return _message(way).SerializeToString()


def _message(way: str) -> Message:
    if way == "batch":
        return BatchCheckOperationsRequest(checks=[check_of(customer_id="a")] * 1000)
    return request_of(WAYS[way])


def start(connection: Connection, way: str, serialized: bytes | None = None, **options: Any) -> Any:
    """Starts a call. Returns its future."""
    function: Any = connection.channel.unary_unary(path_of(way))
    return function.future(request(way) if serialized is None else serialized, **{"timeout": PATIENCE, **options})


def code_of(future: Any) -> grpc.StatusCode:
    """Waits for the end of a call. Returns its status code."""
    with suppress(grpc.RpcError, grpc.FutureCancelledError):
        future.result()
    code: grpc.StatusCode = future.code()
    return code


def assert_answered(connection: Connection, times: int = 1) -> None:
    """Makes calls in each way, one after another. All must be answered with OK."""
    for way in WAYS:
        assert {code_of(start(connection, way)) for _ in range(times)} == {grpc.StatusCode.OK}, way


def padded(serialized: bytes, size: int) -> bytes:
    """The same message, padded to this number of bytes with an unknown field."""
    rest = size - len(serialized)
    key = _varint(_PADDING_FIELD << 3 | 2)
    for width in range(1, 5):
        content = rest - len(key) - width
        if len(_varint(content)) == width:
            return serialized + key + _varint(content) + bytes(content)
    raise ValueError(f"{rest} bytes are no field")


def _varint(number: int) -> bytes:
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*groups, number))
