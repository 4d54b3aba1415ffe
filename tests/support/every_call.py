"""Every method that the contract has, with a request that is well formed, and what became of a call."""

from collections.abc import Callable
from typing import Any

import grpc
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1 import policy_decision_service_pb2 as decisions_pb
from frostgate.v1.partner_pb2 import VERIFICATION_ACTION_UPDATE_PARTNER, Partner
from frostgate.v1.policy_pb2 import FREEZE_SCOPE_ACCOUNT
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
"""Those of the contract, by name."""

REFLECTION = "ServerReflectionInfo"

EVERY = [*METHODS, REFLECTION]

_change: dict[str, Any] = {"scope": FREEZE_SCOPE_ACCOUNT, "reason": "why"}

REQUESTS: dict[str, Callable[[], Message]] = {
    "CheckOperation": lambda: check_of(customer_id="a"),
    "BatchCheckOperations": lambda: decisions_pb.BatchCheckOperationsRequest(checks=[check_of(customer_id="a")]),
    "ListRules": decisions_pb.ListRulesRequest,
    "AssociateCustomer": lambda: pb.AssociateCustomerRequest(customer_id=new_id(), partner_id="partner"),
    "DisassociateCustomer": lambda: pb.DisassociateCustomerRequest(customer_id="a", reason="why"),
    "FreezeCustomer": lambda: pb.FreezeCustomerRequest(customer_id="a", **_change),
    "UnfreezeCustomer": lambda: pb.UnfreezeCustomerRequest(customer_id="a", **_change),
    "BatchFreezeCustomers": lambda: pb.BatchFreezeCustomersRequest(customer_ids=["a"], **_change),
    "BatchUnfreezeCustomers": lambda: pb.BatchUnfreezeCustomersRequest(customer_ids=["a"], **_change),
    "GetCustomer": lambda: pb.GetCustomerRequest(customer_id="a"),
    "ListCustomers": lambda: pb.ListCustomersRequest(partner_id="partner"),
    "ListFreezeEvents": lambda: pb.ListFreezeEventsRequest(partner_id="partner"),
    "GetPartner": lambda: pb.GetPartnerRequest(partner_id="partner"),
    "UpdatePartner": lambda: pb.UpdatePartnerRequest(
        partner=Partner(partner_id="partner"), update_mask=FieldMask(paths=["verification_code_enabled"])
    ),
    "SendVerificationCode": lambda: pb.SendVerificationCodeRequest(
        partner_id="partner", action=VERIFICATION_ACTION_UPDATE_PARTNER
    ),
    REFLECTION: lambda: ServerReflectionRequest(list_services="*"),
}
"""A well-formed request for each method."""

ADMITTED = "admitted"


def outcome(connection: Connection, method: str, metadata: Any = None) -> str:
    """What a call came to: the reason of its refusal, the code if it has none, or that its caller was let in."""
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
    """Makes a call. Of a stream the first answer is enough."""
    if method == REFLECTION:
        path = f"/grpc.reflection.v1.ServerReflection/{REFLECTION}"
        stream = connection.channel.stream_stream(
            path, ServerReflectionRequest.SerializeToString, ServerReflectionResponse.FromString
        )
        return next(stream(iter([REQUESTS[method]()]), metadata=metadata, timeout=PATIENCE))
    descriptor = METHODS[method]
    path = f"/{descriptor.containing_service.full_name}/{method}"
    answer = GetMessageClass(descriptor.output_type)
    serialize = GetMessageClass(descriptor.input_type).SerializeToString
    if descriptor.server_streaming:
        answers = connection.channel.unary_stream(path, serialize, answer.FromString)(
            REQUESTS[method](), metadata=metadata, timeout=PATIENCE
        )
        first = next(answers)
        answers.cancel()
        return first
    return connection.channel.unary_unary(path, serialize, answer.FromString)(
        REQUESTS[method](), metadata=metadata, timeout=PATIENCE
    )
