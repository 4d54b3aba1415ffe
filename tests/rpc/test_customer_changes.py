"""Every transition and every refusal, over the wire, with its code and its ErrorInfo."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from frostgate_server.domain.enums import FreezeEventAction, FreezeScope, FreezeState
from support.calls import ACCOUNT, RESOURCES, Calls, new_id, refusal
from support.subjects import customer_of, event_of

pytestmark = pytest.mark.both_dispatches(short=False)

UNKNOWN = "unknown"
SCOPES = {"ACCOUNT": ACCOUNT, "ACCOUNT_AND_RESOURCES": RESOURCES}


def customer_in(calls: Calls, state: str) -> str:
    return new_id() if state == UNKNOWN else calls.new_customer(state)


@pytest.mark.parametrize(
    ("state", "action", "scope", "expected"),
    [
        ("NORMAL", "freeze", "ACCOUNT", "ACCOUNT_FROZEN"),
        ("NORMAL", "freeze", "ACCOUNT_AND_RESOURCES", "ACCOUNT_AND_RESOURCES_FROZEN"),
        ("ACCOUNT_FROZEN", "freeze", "ACCOUNT_AND_RESOURCES", "ACCOUNT_AND_RESOURCES_FROZEN"),
        ("ACCOUNT_FROZEN", "unfreeze", "ACCOUNT", "NORMAL"),
        ("ACCOUNT_AND_RESOURCES_FROZEN", "unfreeze", "ACCOUNT_AND_RESOURCES", "NORMAL"),
    ],
)
def test_a_transition_is_made_answered_and_told(
    calls: Calls, state: str, action: str, scope: str, expected: str
) -> None:
    customer_id = calls.new_customer(state)
    began = datetime.now(UTC)
    answer = getattr(calls, action)(customer_id=customer_id, scope=SCOPES[scope], reason="  because \u00fc ")
    customer = customer_of(answer.customer)
    assert customer == customer_of(calls.get(customer_id).customer)
    assert (customer.freeze_state, customer.revision) == (FreezeState[expected], answer.revision)
    assert began <= customer.update_time <= datetime.now(UTC)
    if action == "freeze":
        assert (customer.freeze_reason, customer.freeze_time) == ("because \u00fc", customer.update_time)
    event = event_of(calls.events(customer_id=customer_id).events[0])
    assert (event.revision, event.state_before, event.state_after) == (
        answer.revision,
        FreezeState[state],
        FreezeState[expected],
    )
    assert (event.scope, event.reason, event.actor) == (FreezeScope[scope], "because \u00fc", "anonymous")
    assert event.event_time == customer.update_time


@pytest.mark.parametrize(
    ("state", "action", "scope", "message"),
    [
        ("NORMAL", "freeze", ACCOUNT, "The account is frozen."),
        ("NORMAL", "freeze", RESOURCES, "The account and resources are frozen."),
        ("ACCOUNT_FROZEN", "unfreeze", ACCOUNT, "The account is unfrozen."),
        ("ACCOUNT_AND_RESOURCES_FROZEN", "unfreeze", RESOURCES, "The account and resources are unfrozen."),
    ],
)
def test_success_is_told_in_words(calls: Calls, state: str, action: str, scope: int, message: str) -> None:
    customer_id = calls.new_customer(state)
    assert getattr(calls, action)(customer_id=customer_id, scope=scope).message == message


@pytest.mark.parametrize(
    ("state", "action", "scope", "code", "reason"),
    [
        (UNKNOWN, "freeze", "ACCOUNT", "NOT_FOUND", "CUSTOMER_NOT_FOUND"),
        (UNKNOWN, "freeze", "ACCOUNT_AND_RESOURCES", "NOT_FOUND", "CUSTOMER_NOT_FOUND"),
        (UNKNOWN, "unfreeze", "ACCOUNT", "NOT_FOUND", "CUSTOMER_NOT_FOUND"),
        (UNKNOWN, "unfreeze", "ACCOUNT_AND_RESOURCES", "NOT_FOUND", "CUSTOMER_NOT_FOUND"),
        ("NORMAL", "unfreeze", "ACCOUNT", "FAILED_PRECONDITION", "NOT_FROZEN"),
        ("NORMAL", "unfreeze", "ACCOUNT_AND_RESOURCES", "FAILED_PRECONDITION", "NOT_FROZEN"),
        ("ACCOUNT_FROZEN", "freeze", "ACCOUNT", "FAILED_PRECONDITION", "ALREADY_FROZEN"),
        ("ACCOUNT_FROZEN", "unfreeze", "ACCOUNT_AND_RESOURCES", "FAILED_PRECONDITION", "SCOPE_MISMATCH"),
        ("ACCOUNT_AND_RESOURCES_FROZEN", "freeze", "ACCOUNT", "FAILED_PRECONDITION", "ALREADY_FROZEN"),
        ("ACCOUNT_AND_RESOURCES_FROZEN", "freeze", "ACCOUNT_AND_RESOURCES", "FAILED_PRECONDITION", "ALREADY_FROZEN"),
        ("ACCOUNT_AND_RESOURCES_FROZEN", "unfreeze", "ACCOUNT", "FAILED_PRECONDITION", "SCOPE_MISMATCH"),
    ],
)
def test_a_refusal_has_its_code_and_names_its_variables(
    calls: Calls, state: str, action: str, scope: str, code: str, reason: str
) -> None:
    customer_id = customer_in(calls, state)
    refused = refusal(lambda: getattr(calls, action)(customer_id=customer_id, scope=SCOPES[scope]))
    assert (refused.code.name, refused.reason) == (code, reason)
    expected = {"customer_id": customer_id}
    if reason == "ALREADY_FROZEN":
        expected["freeze_state"] = state
    if reason == "SCOPE_MISMATCH":
        expected |= {"scope": scope, "frozen_scope": state.removesuffix("_FROZEN")}
    assert refused.metadata == expected
    assert all(value in refused.message for value in refused.metadata.values())
    assert refused.violations == {}


def test_associating_freezes_by_default(calls: Calls) -> None:
    customer_id = new_id()
    answer = calls.associate(customer_id=customer_id)
    customer = customer_of(answer.customer)
    assert customer.freeze_state is FreezeState.ACCOUNT_FROZEN
    assert customer.freeze_reason == "Frozen by default on association"
    assert customer.associate_time == customer.freeze_time == customer.update_time
    assert (customer.fees_accrue, customer.retention_expire_time) == (True, None)
    event = event_of(calls.events(customer_id=customer_id).events[0])
    assert (event.action, event.scope, event.state_before) == (FreezeEventAction.ASSOCIATED, None, None)


@pytest.mark.parametrize("state", ["NORMAL", "ACCOUNT_FROZEN", "ACCOUNT_AND_RESOURCES_FROZEN"])
def test_associating_twice_is_refused_in_every_state_and_for_every_partner(calls: Calls, state: str) -> None:
    customer_id = calls.new_customer(state)
    own = refusal(lambda: calls.associate(customer_id=customer_id))
    foreign = refusal(lambda: calls.associate(customer_id=customer_id, partner_id="another"))
    for refused in (own, foreign):
        assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "CUSTOMER_ALREADY_ASSOCIATED")
        assert refused.metadata == {"customer_id": customer_id}


@pytest.mark.parametrize("state", ["NORMAL", "ACCOUNT_FROZEN", "ACCOUNT_AND_RESOURCES_FROZEN"])
def test_disassociating_makes_unknown_from_every_state_and_the_events_stay(calls: Calls, state: str) -> None:
    customer_id = calls.new_customer(state)
    answer = calls.disassociate(customer_id=customer_id, reason="left")
    refused = refusal(lambda: calls.get(customer_id))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND")
    event = event_of(calls.events(customer_id=customer_id).events[0])
    assert (event.revision, event.action, event.reason) == (answer.revision, FreezeEventAction.DISASSOCIATED, "left")
    assert (event.state_before, event.state_after) == (FreezeState[state], None)
    again = customer_of(calls.associate(customer_id=customer_id, partner_id="another").customer)
    assert (again.freeze_state, again.partner_id) == (FreezeState.ACCOUNT_FROZEN, "another")


def test_disassociating_an_unknown_customer_is_refused(calls: Calls) -> None:
    refused = refusal(lambda: calls.disassociate(customer_id=new_id()))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND")


def test_frozen_resources_stop_fees_and_start_retention(calls: Calls) -> None:
    customer_id = calls.new_customer()
    frozen = calls.freeze(customer_id=customer_id, scope=RESOURCES).customer
    customer = customer_of(frozen)
    assert customer.freeze_time is not None
    assert customer.retention_expire_time == customer.freeze_time + timedelta(days=15)
    assert frozen.fees_accrue is False
    thawed = calls.unfreeze(customer_id=customer_id, scope=RESOURCES).customer
    assert (thawed.fees_accrue, thawed.HasField("retention_expire_time")) == (True, False)
    assert not thawed.HasField("freeze_reason")
    assert not thawed.HasField("freeze_time")


def test_listing_the_customers_of_a_partner_that_never_was_is_refused(calls: Calls) -> None:
    refused = refusal(lambda: calls.list(partner_id="nobody"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "PARTNER_NOT_FOUND")
    assert refused.metadata == {"partner_id": "nobody"}


def test_a_partner_without_customers_still_exists(calls: Calls) -> None:
    customer_id, partner_id = new_id(), new_id()
    calls.associate(customer_id=customer_id, partner_id=partner_id)
    calls.disassociate(customer_id=customer_id)
    assert list(calls.list(partner_id=partner_id).customers) == []
