"""What the client raises: refusals, lost servers, deadlines and bad arguments."""

import time
from datetime import datetime
from threading import Event
from typing import Any
from uuid import uuid4

import frostgate
import grpc
import pytest
from frostgate import (
    BillingMode,
    FreezeScope,
    Operation,
)
from frostgate.retry_policy import Attempts
from support.both_clients import KINDS, new_customer, open_client
from support.calls import new_id
from support.decision_table import NO_CELLS
from support.processes import PATIENCE
from support.scripted_server import scripted_server

UNANSWERED = 3.0
"""Seconds of a call that is tried until its deadline. On a loaded machine the first try must end before that."""

UNANSWERED_HERE = 1.0
"""The same, where there is no server, or one in this process."""


@pytest.mark.parametrize("place", NO_CELLS[:1])
def test_errors_carry_code_reason_metadata_and_fields(client: Any, place: tuple[str, str, str]) -> None:
    _, mode, operation = place
    with pytest.raises(frostgate.InvalidRequest) as refused:
        client.check_operation(customer_id="a", operation=Operation[operation], billing_mode=BillingMode[mode])
    assert (refused.value.code, refused.value.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "OPERATION_NOT_APPLICABLE",
    )
    assert refused.value.metadata == {"operation": operation, "billing_mode": mode}
    assert [violation.field for violation in refused.value.field_violations] == ["operation"]
    assert str(refused.value).startswith("OPERATION_NOT_APPLICABLE: Operation ")


def test_each_refusal_has_its_class(client: Any) -> None:
    customer_id = new_customer(client)
    freeze = {"scope": FreezeScope.ACCOUNT, "reason": "unpaid"}
    with pytest.raises(frostgate.NotFound):
        client.get_customer(customer_id="nobody")
    with pytest.raises(frostgate.AlreadyExists):
        client.associate_customer(customer_id=customer_id, partner_id="partner")
    with pytest.raises(frostgate.FailedPrecondition, match="ALREADY_FROZEN"):
        client.freeze_customer(customer_id=customer_id, **freeze)
    request_id = uuid4()
    client.associate_customer(customer_id=new_id(), partner_id="partner", request_id=request_id)
    with pytest.raises(frostgate.InvalidRequest, match="REQUEST_ID_REUSED"):
        client.associate_customer(customer_id=new_id(), partner_id="partner", request_id=request_id)
    with pytest.raises(frostgate.Unavailable, match="REVISION_NOT_REACHED"):
        client.check_operation(
            customer_id="a",
            operation=Operation.VIEW,
            billing_mode=BillingMode.SPOT,
            minimum_revision=10**12,
            timeout=UNANSWERED,
        )
    with pytest.raises(frostgate.ResourceExhausted):
        client.batch_freeze_customers(["x" * 1000 for _ in range(1000)], **freeze)


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_nobody_answers_ends_at_its_deadline(kind: str) -> None:
    end = Event()

    def wait(*_: object) -> bytes:
        assert end.wait(PATIENCE)
        return b""

    with scripted_server(wait) as address, open_client(kind, address, timeout=UNANSWERED_HERE) as client:
        try:
            with pytest.raises(frostgate.DeadlineExceeded):
                client.list_rules()
            with pytest.raises(frostgate.OutcomeUnknown) as unknown:
                client.disassociate_customer(customer_id="a", reason="left")
        finally:
            end.set()
    assert unknown.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert f"repeat the call with request_id='{unknown.value.request_id}' to find out" in str(unknown.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_without_a_server_is_tried_until_its_deadline(kind: str) -> None:
    with open_client(kind, "127.0.0.1:1", timeout=UNANSWERED_HERE) as client:
        began = time.monotonic()
        with pytest.raises(frostgate.Unavailable):
            client.list_rules()
        assert 0.2 <= time.monotonic() - began < PATIENCE


@pytest.mark.parametrize("kind", [frostgate.Client, frostgate.aio.Client])
@pytest.mark.parametrize("settings", [{"timeout": 0}, {"timeout": -1}, {"timeout": float("inf")}, {"channels": 0}])
def test_settings_that_cannot_be_are_refused(kind: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(settings))} must be"):
        kind("127.0.0.1:1", **settings)


def test_a_time_without_a_zone_is_refused(client: Any) -> None:
    with pytest.raises(ValueError, match="a time needs a time zone"):
        client.list_freeze_events(start_time=datetime(2026, 1, 1))


def test_an_update_of_nothing_is_refused(client: Any) -> None:
    with pytest.raises(ValueError, match="an update needs verification_code_enabled, verification_contact, or both"):
        client.update_partner(partner_id="p")


def unavailable(reason: str = "") -> frostgate.FrostgateError:
    return frostgate.Unavailable("a", code=grpc.StatusCode.UNAVAILABLE, reason=reason)


def unknown() -> frostgate.FrostgateError:
    return frostgate.OutcomeUnknown("b", code=grpc.StatusCode.UNAVAILABLE, request_id="1")


def unsent() -> frostgate.FrostgateError:
    return frostgate.Unavailable("f", code=grpc.StatusCode.UNAVAILABLE, sent=False)


def refused() -> frostgate.FrostgateError:
    return frostgate.FailedPrecondition("c", code=grpc.StatusCode.FAILED_PRECONDITION, reason="NOT_FROZEN")


def overloaded() -> frostgate.FrostgateError:
    return frostgate.ResourceExhausted("d", code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED")


def too_late() -> frostgate.FrostgateError:
    return frostgate.DeadlineExceeded("e", code=grpc.StatusCode.DEADLINE_EXCEEDED)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([overloaded()], 0),
        ([too_late()], 0),
        ([unavailable(), too_late()], 0),
        ([unavailable(), refused()], 1),
        ([unknown(), overloaded()], 0),
        ([unknown(), unavailable("STORAGE_UNAVAILABLE"), too_late()], 0),
        ([unknown(), refused()], 1),
        ([unknown(), unsent(), too_late()], 0),
        ([unsent(), refused()], 1),
    ],
    ids=lambda errors: "-".join(type(e).__name__ for e in errors) if isinstance(errors, list) else str(errors),
)
def test_of_several_tries_the_error_that_says_most_is_raised(
    errors: list[frostgate.FrostgateError], expected: int
) -> None:
    tries = Attempts(60)
    for error in errors[:-1]:
        assert 0 < tries.pause_after(error) < 1
    with pytest.raises(frostgate.FrostgateError) as raised:
        tries.pause_after(errors[-1])
    assert raised.value is errors[expected]


def test_a_call_was_sent_if_one_of_its_tries_was() -> None:
    tries = Attempts(60, once=True)
    tries.pause_after(unsent())
    assert tries.pause_after(first := unsent()) > 0
    assert not first.sent
    tries = Attempts(60)
    tries.pause_after(unavailable("STORAGE_UNAVAILABLE"))
    tries.pause_after(later := unsent())
    assert later.sent
