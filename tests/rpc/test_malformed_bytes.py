"""Bytes that are no message, page tokens that are made up, and random requests get the documented error."""

from functools import partial
from typing import Any

import grpc
import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.customer_freeze_service_pb2 import DESCRIPTOR as FREEZES
from frostgate.v1.policy_decision_service_pb2 import DESCRIPTOR as DECISIONS
from frostgate.v1.policy_pb2 import BillingMode, FreezeScope, Operation
from frostgate_server.services import page_token as page_tokens
from frostgate_server.storage.queries import EventFilter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.calls import ACCOUNT, Calls, refusal
from support.processes import PATIENCE
from support.runner.sizes import size
from support.server_process import ServerProcess
from support.statuses import status_of

pytestmark = [pytest.mark.usefixtures("the_server_goes_on"), pytest.mark.both_dispatches(short=False)]

METHODS = [
    f"/{service.full_name}/{method.name}"
    for file in (FREEZES, DECISIONS)
    for service in file.services_by_name.values()
    for method in service.methods
]


def raw(server: ServerProcess, method: str, request: bytes) -> bytes:
    call: Any = server.channel.unary_unary(method, request_serializer=None, response_deserializer=None)
    answer: bytes = call(request, timeout=PATIENCE)
    return answer


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "request_bytes",
    [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe"],
    ids=["no protobuf", "cut short", "no UTF-8"],
)
def test_unparsable_bytes_are_an_invalid_argument(server: ServerProcess, method: str, request_bytes: bytes) -> None:
    if method.endswith("ListRules") and request_bytes == b"\x0a\x02\xff\xfe":
        assert raw(server, method, request_bytes)  # it has no fields: what is not known to it is no fault
        return
    refused = refusal(lambda: raw(server, method, request_bytes))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert "must be a valid frostgate.v1." in refused.violations["request"]


def test_an_oversize_request_is_refused_by_grpc_itself(server: ServerProcess) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        raw(server, METHODS[0], b"\x0a" + b"\x80\x80\x40" + b"a" * 2**20)
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max (1048580 vs. 524288)" in error.details()


def test_a_made_up_page_token_is_refused_where_no_revision_can_be(calls: Calls) -> None:
    for revision in (0, -1, 2**63, 2**70):
        token = page_tokens.token(page_tokens.event_filters(EventFilter(), EventFilter()), revision)
        call = partial(calls.events, page_token=token)
        assert refusal(call).reason == "PAGE_TOKEN_INVALID"


def test_a_method_that_does_not_exist_is_unimplemented(server: ServerProcess) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        raw(server, "/frostgate.v1.CustomerFreezeService/MeltCustomer", b"")
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "!",
        "=",
        "AAAA",
        "WyJhIiwgMV0",
        "W10",
        "bnVsbA",
        "\u20ac",
        "a" * 5000,
        "WzEsMl0",
        "W1tb" * 50,
        "W1tb" * 9999,
    ],
)
def test_a_garbage_page_token_is_refused(calls: Calls, token: str) -> None:
    calls.new_customer()
    for refused in (refusal(lambda: calls.list(page_token=token)), refusal(lambda: calls.events(page_token=token))):
        assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")
        assert list(refused.violations) == ["page_token"]


@pytest.mark.long
@settings(
    max_examples=size(short=300, long=5_000),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(method=st.sampled_from(METHODS), request=st.binary(max_size=200))
def test_whatever_bytes_come_the_answer_is_a_documented_one(server: ServerProcess, method: str, request: bytes) -> None:
    try:
        raw(server, method, request)
    except grpc.RpcError as error:
        code, _ = status_of(error)
        assert code in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


any_text = st.text(max_size=70) | st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)


any_number = st.integers(-1, 12) | st.integers(-(2**31), 2**31 - 1)


@pytest.mark.long
@settings(
    max_examples=size(short=300, long=5_000),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(customer_id=any_text, operation=any_number, mode=any_number, minimum=st.integers(-(2**63), 2**63 - 1))
def test_whatever_is_checked_is_answered_or_refused_as_documented(
    calls: Calls, customer_id: str, operation: int, mode: int, minimum: int
) -> None:
    fields = {"customer_id": customer_id, "operation": operation, "billing_mode": mode, "minimum_revision": minimum}
    known = operation in Operation.values() and mode in BillingMode.values() and operation * mode != 0
    try:
        calls.check(**fields)
        assert known
    except grpc.RpcError as error:
        code, _ = status_of(error)
        assert code in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAVAILABLE}


@pytest.mark.long
@settings(
    max_examples=size(short=200, long=3_000),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(customer_id=any_text, scope=any_number, reason=st.text(max_size=300), request_id=any_text)
def test_whatever_is_asked_to_be_frozen_is_refused_as_documented(
    calls: Calls, customer_id: str, scope: int, reason: str, request_id: str
) -> None:
    request = {"customer_id": customer_id, "scope": scope, "reason": reason, "request_id": request_id}
    refused = refusal(lambda: calls.freeze(**request))
    assert refused.reason in {"INVALID_FIELD", "CUSTOMER_NOT_FOUND"}
    assert (scope in FreezeScope.values()[1:]) or "scope" in refused.violations


def test_fields_that_are_not_known_are_passed_over(server: ServerProcess, calls: Calls) -> None:
    customer_id = calls.new_customer("NORMAL")
    request = pb.FreezeCustomerRequest(customer_id=customer_id, scope=ACCOUNT, reason="unpaid").SerializeToString()
    unknown_field = b"\xfa\x7f\x01x"
    answer = raw(server, "/frostgate.v1.CustomerFreezeService/FreezeCustomer", request + unknown_field)
    assert pb.FreezeCustomerResponse.FromString(answer).customer.customer_id == customer_id
