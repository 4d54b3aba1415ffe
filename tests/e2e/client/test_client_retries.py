"""Retries of the client, the metadata and interceptors of its calls, and what it logs."""

import logging
from collections import Counter
from importlib.metadata import version
from typing import Any

import frostgate
import grpc
import pytest
from frostgate.retry_policy import Attempts
from frostgate.v1.policy_decision_service_pb2 import ListRulesResponse
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status.rpc_status import to_status
from support.both_clients import KINDS, open_client
from support.processes import PATIENCE
from support.scripted_server import scripted_server

SHORT = Duration(nanos=200_000_000)
HOUR = Duration(seconds=3600)


def refusal(code: grpc.StatusCode, reason: str, delay: Duration | None) -> Status:
    status = Status(code=code.value[0], message="try later")
    status.details.add().Pack(ErrorInfo(domain="frostgate", reason=reason))
    if delay is not None:
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status


class Refusing:
    """A script that refuses the first calls, and counts all of them by the name of their RPC."""

    def __init__(self, refusals: int, status: Status) -> None:
        self.calls: Counter[str] = Counter()
        self._refusals = refusals
        self._status = status

    def __call__(self, name: str, _: bytes, context: grpc.ServicerContext) -> bytes:
        """Answers with an empty message."""
        self.calls[name] += 1
        if self.calls[name] <= self._refusals:
            context.abort_with_status(to_status(self._status))
        return b""


OVERLOADED = refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", SHORT)


@pytest.mark.parametrize("kind", KINDS)
def test_an_overloaded_server_is_asked_again_after_the_time_that_it_says(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    script = Refusing(2, OVERLOADED)
    with (
        caplog.at_level(logging.DEBUG, "frostgate"),
        scripted_server(script) as address,
        open_client(kind, address, timeout=PATIENCE) as client,
    ):
        assert not client.list_rules().rules
        client.disassociate_customer(customer_id="c", reason="left")
    assert script.calls == {"ListRules": 3, "DisassociateCustomer": 3}
    logged = [record.getMessage() for record in caplog.records if record.name == "frostgate"]
    assert [line.split(" failed")[0] for line in logged if " failed" in line] == [
        "ListRules: try 1",
        "ListRules: try 2",
        "DisassociateCustomer: try 1",
        "DisassociateCustomer: try 2",
    ]
    assert all("OVERLOADED: try later" in line for line in logged if " failed" in line)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "status",
    [
        refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", HOUR),
        refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", None),
        refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "VERIFICATION_RATE_LIMITED", SHORT),
    ],
    ids=["after the deadline", "without a time", "another limit"],
)
def test_other_refusals_are_raised_at_once(kind: str, status: Status) -> None:
    script = Refusing(10, status)
    with (
        scripted_server(script) as address,
        open_client(kind, address, timeout=PATIENCE) as client,
        pytest.raises(frostgate.ResourceExhausted),
    ):
        client.list_rules()
    assert script.calls == {"ListRules": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_tried_once_is_not_tried_again_when_overloaded(kind: str) -> None:
    script = Refusing(10, OVERLOADED)
    with (
        scripted_server(script) as address,
        open_client(kind, address, timeout=PATIENCE) as client,
        pytest.raises(frostgate.ResourceExhausted),
    ):
        client.update_partner(partner_id="p", verification_code_enabled=False)
    assert script.calls == {"UpdatePartner": 1}


def test_a_pause_is_not_shorter_than_the_server_asks_for() -> None:
    for code, reason in (("RESOURCE_EXHAUSTED", "OVERLOADED"), ("UNAVAILABLE", "STORAGE_UNAVAILABLE")):
        tries = Attempts(60)
        error = frostgate.FrostgateError("later", code=grpc.StatusCode[code], reason=reason, retry_after=2.0)
        assert all(2.0 <= tries.pause_after(error) <= 3.0 for _ in range(5))


HEADERS = [("x-tenant", "blue"), ("trace-bin", b"\0\1\xff")]


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_goes_with_every_call(kind: str) -> None:
    came: list[dict[str, Any]] = []

    def answer(_: str, __: bytes, context: grpc.ServicerContext) -> bytes:
        came.append(dict(context.invocation_metadata()))
        return ListRulesResponse().SerializeToString()

    with scripted_server(answer) as address, open_client(kind, address, metadata=HEADERS) as client:
        client.list_rules()
        client.list_rules()
    assert all(dict(HEADERS).items() <= call.items() for call in came)
    assert len(came) == 2


@pytest.mark.parametrize("kind", [frostgate.Client, frostgate.aio.Client])
@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (("X-Tenant", "blue"), "the name 'X-Tenant' must consist of the characters"),
        (("", "blue"), "the name '' must consist of"),
        (("x tenant", "blue"), "the name 'x tenant' must consist of"),
        (("grpc-timeout", "1S"), "must not begin with grpc-"),
        (("x-tenant", "blue\n"), "the value of 'x-tenant' must be a string of printable ASCII"),
        (("x-tenant", "bläu"), "the value of 'x-tenant' must be"),
        (("x-tenant", b"blue"), "the value of 'x-tenant' must be a string"),
        (("trace-bin", "blue"), "the value of 'trace-bin' must be bytes"),
    ],
    ids=lambda value: ascii(value[0]) if isinstance(value, tuple) else "",
)
def test_metadata_that_cannot_be_sent_is_refused_at_once(kind: Any, header: tuple[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"metadata: .*{problem}"):
        kind("127.0.0.1:1", metadata=[header])


class Counting(grpc.UnaryUnaryClientInterceptor):
    """An interceptor of the synchronous client."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Notes the method, and goes on."""
        self.methods.append(client_call_details.method)
        return continuation(client_call_details, request)


class CountingAsync(grpc.aio.UnaryUnaryClientInterceptor):
    """An interceptor of the asynchronous client."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Notes the method, and goes on."""
        method = client_call_details.method
        self.methods.append(method.decode() if isinstance(method, bytes) else method)
        return await continuation(client_call_details, request)


@pytest.mark.parametrize("kind", KINDS)
def test_interceptors_see_every_try(kind: str) -> None:
    interceptor = Counting() if kind == "synchronous" else CountingAsync()
    with (
        scripted_server(Refusing(1, OVERLOADED)) as address,
        open_client(kind, address, interceptors=[interceptor], timeout=PATIENCE) as client,
    ):
        client.list_rules()
    assert interceptor.methods == ["/frostgate.v1.PolicyDecisionService/ListRules"] * 2


def test_the_version_is_that_of_the_distribution() -> None:
    assert frostgate.__version__ == version("frostgate-client")
