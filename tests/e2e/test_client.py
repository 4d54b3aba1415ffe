"""The client, synchronous and asynchronous, against a real server."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import frostgate
import pytest
from frostgate import (
    BillingMode,
    Check,
    DecisionReason,
    FreezeEventAction,
    FreezeScope,
    FreezeState,
    Operation,
    RuleBasis,
)
from support.both_clients import KINDS, new_customer, open_client
from support.calls import new_id
from support.decision_table import CELLS
from support.server_process import ServerProcess


def test_every_cell_is_decided_singly_and_in_a_batch(client: Any) -> None:
    customers = {state: new_customer(client, state) for state, _, _ in CELLS}
    checks = [
        Check(customer_id=customers[state], operation=Operation[operation], billing_mode=BillingMode[mode])
        for state, mode, operation in CELLS
    ]
    batch = client.batch_check_operations(checks)
    for (place, expected), check, batched in zip(CELLS.items(), checks, batch.results, strict=True):
        decision = client.check_operation(
            customer_id=check.customer_id, operation=check.operation, billing_mode=check.billing_mode
        )
        assert decision == batched
        assert (decision.allowed, decision.reason.name, decision.basis.name) == (
            expected.decision == "ALLOW",
            expected.reason,
            expected.basis,
        )
        assert decision.freeze_state is FreezeState[place[0]]


def test_an_unknown_customer_has_neither_state_nor_basis(client: Any) -> None:
    decision = client.check_operation(customer_id="nobody", operation=Operation.VIEW, billing_mode=BillingMode.SPOT)
    assert (decision.allowed, decision.reason) == (False, DecisionReason.CUSTOMER_UNKNOWN)
    assert (decision.freeze_state, decision.basis) == (None, None)


def test_a_malformed_check_of_a_batch_is_an_error_beside_the_answers(client: Any) -> None:
    checks = [
        Check("a", Operation.VIEW, BillingMode.SPOT),
        Check("a b", Operation.VIEW, BillingMode.SPOT),
        Check("a", Operation.RENEW, BillingMode.SPOT),
    ]
    good, bad, inapplicable = client.batch_check_operations(checks).results
    assert good.allowed is False
    assert isinstance(bad, frostgate.InvalidRequest)
    assert [violation.field for violation in bad.field_violations] == ["customer_id"]
    assert (inapplicable.reason, inapplicable.metadata["operation"]) == ("OPERATION_NOT_APPLICABLE", "RENEW")


def test_the_rules_are_listed(client: Any) -> None:
    policy = client.list_rules()
    assert {(r.freeze_state.name, r.billing_mode.name, r.operation.name): r.allowed for r in policy.rules} == {
        place: expected.decision == "ALLOW" for place, expected in CELLS.items()
    }
    assert (policy.unknown_customer_allowed, len(policy.policy_version)) == (False, 16)
    assert {rule.basis for rule in policy.rules if not rule.source_text} == {RuleBasis.SILENT}


def test_a_life_is_led_and_told(client: Any) -> None:
    customer_id, partner_id = new_id(), new_id()
    began = datetime.now(UTC)
    associated = client.associate_customer(customer_id=customer_id, partner_id=partner_id)
    frozen = client.freeze_customer(
        customer_id=customer_id, scope=FreezeScope.ACCOUNT_AND_RESOURCES, reason="unpaid", request_id=uuid4()
    )
    assert (frozen.message, frozen.revision) == ("The account and resources are frozen.", associated.revision + 1)
    assert client.get_customer(customer_id=customer_id) == frozen.customer
    assert frozen.customer.freeze_time is not None
    assert frozen.customer.retention_expire_time == frozen.customer.freeze_time + timedelta(days=15)
    assert frozen.customer.fees_accrue is False
    unfrozen = client.unfreeze_customer(
        customer_id=customer_id, scope=FreezeScope.ACCOUNT_AND_RESOURCES, reason="paid"
    ).customer
    assert (unfrozen.freeze_state, unfrozen.freeze_reason, unfrozen.freeze_time) == (FreezeState.NORMAL, None, None)
    gone = client.disassociate_customer(customer_id=customer_id, reason="left")
    events = client.list_freeze_events(customer_id=customer_id, start_time=began)
    assert [event.action for event in events] == [
        FreezeEventAction.DISASSOCIATED,
        FreezeEventAction.UNFROZEN,
        FreezeEventAction.FROZEN,
        FreezeEventAction.ASSOCIATED,
    ]
    assert (events[0].revision, events[0].state_after, events[0].scope) == (gone.revision, None, None)
    assert all(event.request_id for event in events)


def test_listings_page_by_themselves(client: Any) -> None:
    partner_id = new_id()
    ids = sorted(new_id() for _ in range(5))
    for customer_id in ids:
        client.associate_customer(customer_id=customer_id, partner_id=partner_id)
    for page_size in (0, 1, 2, 5):
        customers = client.list_customers(partner_id=partner_id, page_size=page_size)
        assert [customer.customer_id for customer in customers] == ids
        assert len(client.list_freeze_events(partner_id=partner_id, page_size=page_size)) == 5
    assert client.list_customers(partner_id=partner_id, freeze_state=FreezeState.NORMAL) == []
    assert client.list_customers(partner_id=partner_id, retention_expired=True) == []


def test_batches_of_changes_give_each_customer_or_its_error(client: Any) -> None:
    normal, frozen = new_customer(client, "NORMAL"), new_customer(client)
    batch = client.batch_freeze_customers([normal, frozen, "nobody"], scope=FreezeScope.ACCOUNT, reason="unpaid")
    assert batch.results[normal].freeze_state is FreezeState.ACCOUNT_FROZEN
    assert isinstance(batch.results[frozen], frostgate.FailedPrecondition)
    assert batch.results["nobody"].reason == "CUSTOMER_NOT_FOUND"
    back = client.batch_unfreeze_customers([normal, frozen], scope=FreezeScope.ACCOUNT, reason="paid")
    assert {result.freeze_state for result in back.results.values()} == {FreezeState.NORMAL}


def test_validate_only_changes_nothing(client: Any) -> None:
    customer_id = new_customer(client)
    fields = {"customer_id": customer_id, "scope": FreezeScope.ACCOUNT, "reason": "paid"}
    assert client.unfreeze_customer(**fields, validate_only=True).customer.freeze_state is FreezeState.NORMAL
    assert client.get_customer(customer_id=customer_id).freeze_state is FreezeState.ACCOUNT_FROZEN


def test_a_repeated_request_gives_the_first_answer(client: Any) -> None:
    request_id, customer_id = uuid4(), new_id()
    fields = {"customer_id": customer_id, "partner_id": "partner", "request_id": request_id}
    assert client.associate_customer(**fields) == client.associate_customer(**fields)


@pytest.mark.parametrize("kind", KINDS)
def test_unix_sockets_and_several_channels_work(kind: str, socket_server: ServerProcess) -> None:
    with open_client(kind, socket_server.address, channels=3) as client:
        for _ in range(6):
            assert client.list_rules().rules


def test_an_empty_request_id_is_none_and_a_new_one_is_made(client: Any) -> None:
    customer_id = new_id()
    client.associate_customer(customer_id=customer_id, partner_id="partner", request_id="")
    assert client.list_freeze_events(customer_id=customer_id)[0].request_id
