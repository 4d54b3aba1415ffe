"""Every method of the contract, with a well-formed request, and the outcome of a call."""

from collections.abc import Callable
from typing import Any

import grpc
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1 import policy_decision_service_pb2 as decisions_pb
from frostgate.v1.partner_pb2 import VERIFICATION_ACTION_FREEZE, Partner
from frostgate.v1.policy_pb2 import BILLING_MODE_SPOT, FREEZE_SCOPE_ACCOUNT, OPERATION_VIEW
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from support.calls import check_of, new_id
from support.processes import PATIENCE
from support.server_process import Connection
from support.statuses import error_info, status_of

METHODS: dict[str, MethodDescriptor] = {
    method.name: method
    for file in (pb.DESCRIPTOR, decisions_pb.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
}
"""The methods of the contract by name."""

REFLECTION = "ServerReflectionInfo"

EVERY = [*METHODS, REFLECTION]

FIELDS: dict[str, Callable[[], Any]] = {
    "customer_id": new_id,
    "customer_ids": lambda: ["a"],
    "partner_id": lambda: "partner",
    "partner": lambda: Partner(partner_id="partner"),
    "scope": lambda: FREEZE_SCOPE_ACCOUNT,
    "reason": lambda: "why",
    "operation": lambda: OPERATION_VIEW,
    "billing_mode": lambda: BILLING_MODE_SPOT,
    "checks": lambda: [check_of(customer_id="a")],
    "update_mask": lambda: FieldMask(paths=["verification_code_enabled"]),
    "action": lambda: VERIFICATION_ACTION_FREEZE,
}
"""A well-formed value for each field that a request may need, by its name."""


def request_of(method: str) -> Message:
    """A well-formed request for a method."""
    if method == REFLECTION:
        return ServerReflectionRequest(list_services="*")
    input_type = METHODS[method].input_type
    fields = {field.name: FIELDS[field.name]() for field in input_type.fields if field.name in FIELDS}
    return GetMessageClass(input_type)(**fields)


ADMITTED = "admitted"


def outcome(connection: Connection, method: str, metadata: Any = None) -> str:
    """The outcome of a call: the reason of its refusal, the code if it has none, or that its caller was admitted."""
    try:
        _call(connection, method, metadata)
    except grpc.RpcError as error:
        call: Any = error
        if call.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED}:
            return str(call.code().name)
        code, status = status_of(error)
        reason = str(error_info(status).reason)
        if reason in {"UNAUTHENTICATED", "PERMISSION_DENIED"}:
            assert code.name == reason
            return reason
        assert reason not in {"INTERNAL", "INVALID_FIELD", "OVERLOADED"}, status
    return ADMITTED


def outcomes(connection: Connection, metadata: Any = None) -> dict[str, str]:
    return {method: outcome(connection, method, metadata) for method in EVERY}


def all_are(what: str) -> dict[str, str]:
    return dict.fromkeys(EVERY, what)


def is_admitted(connection: Connection, metadata: Any = None) -> bool:
    return outcome(connection, "ListRules", metadata) == ADMITTED


def _call(connection: Connection, method: str, metadata: Any) -> Any:
    """Makes a call. Of a stream, reads only the first answer."""
    if method == REFLECTION:
        path = f"/grpc.reflection.v1.ServerReflection/{REFLECTION}"
        stream = connection.channel.stream_stream(
            path, ServerReflectionRequest.SerializeToString, ServerReflectionResponse.FromString
        )
        return next(stream(iter([request_of(method)]), metadata=metadata, timeout=PATIENCE))
    descriptor = METHODS[method]
    path = f"/{descriptor.containing_service.full_name}/{method}"
    answer = GetMessageClass(descriptor.output_type)
    serialize = GetMessageClass(descriptor.input_type).SerializeToString
    if descriptor.server_streaming:
        answers = connection.channel.unary_stream(path, serialize, answer.FromString)(
            request_of(method), metadata=metadata, timeout=PATIENCE
        )
        first = next(answers)
        answers.cancel()
        return first
    return connection.channel.unary_unary(path, serialize, answer.FromString)(
        request_of(method), metadata=metadata, timeout=PATIENCE
    )
