"""expected_revision and validate_only in batches: a change is made only where its caller has seen the present state."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import grpc
import pytest
from rpc.contract_terms import ACCOUNT_FROZEN, NORMAL, RESOURCES_FROZEN, revision
from support.calls import RESOURCES, Calls, new_id, refusal

pytestmark = pytest.mark.both_dispatches(short=False)

Change = Callable[..., Any]


def changes(calls: Calls) -> list[tuple[Change, str]]:
    """Every change that takes an expected_revision, with a customer whose state permits it."""
    return [
        (calls.freeze, calls.new_customer("NORMAL")),
        (calls.unfreeze, calls.new_customer()),
        (calls.disassociate, calls.new_customer()),
    ]


every_change = pytest.mark.parametrize("place", range(3), ids=["freeze", "unfreeze", "disassociate"])


@every_change
def test_a_change_at_the_expected_revision_is_made(calls: Calls, place: int) -> None:
    change, customer_id = changes(calls)[place]
    seen = calls.get(customer_id).customer.revision
    assert change(customer_id=customer_id, expected_revision=seen).revision == revision(calls) > seen


@every_change
@pytest.mark.parametrize("difference", [-1, 1])
def test_a_change_at_another_revision_is_aborted_and_names_the_present_one(
    calls: Calls, place: int, difference: int
) -> None:
    change, customer_id = changes(calls)[place]
    before = calls.get(customer_id).customer
    expected, at = before.revision + difference, revision(calls)
    refused = refusal(lambda: change(customer_id=customer_id, expected_revision=expected))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "REVISION_MISMATCH")
    assert refused.metadata == {
        "customer_id": customer_id,
        "expected_revision": str(expected),
        "revision": str(before.revision),
    }
    assert refused.message == (
        f"Customer {customer_id} is at revision {before.revision}, not at the expected_revision {expected}."
    )
    assert (calls.get(customer_id).customer, revision(calls)) == (before, at)


@every_change
@pytest.mark.parametrize("expected", [0, -1])
def test_an_expected_revision_that_no_change_made_is_malformed(calls: Calls, place: int, expected: int) -> None:
    change, customer_id = changes(calls)[place]
    refused = refusal(lambda: change(customer_id=customer_id, expected_revision=expected))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refused.violations == {"expected_revision": f"must be greater than 0 but is {expected}"}


@every_change
def test_an_unknown_customer_is_not_found_whatever_revision_is_expected(calls: Calls, place: int) -> None:
    change, _ = changes(calls)[place]
    assert refusal(lambda: change(customer_id=new_id(), expected_revision=1)).reason == "CUSTOMER_NOT_FOUND"


@pytest.mark.parametrize("validate_only", [False, True])
def test_another_revision_wins_over_a_refused_transition(calls: Calls, validate_only: bool) -> None:
    fields: dict[str, Any]
    fields = {"customer_id": calls.new_customer(), "validate_only": validate_only}
    present = calls.get(fields["customer_id"]).customer.revision
    assert refusal(lambda: calls.freeze(**fields, expected_revision=present + 1)).reason == "REVISION_MISMATCH"
    assert refusal(lambda: calls.freeze(**fields, expected_revision=present)).reason == "ALREADY_FROZEN"


def test_a_freeze_that_its_caller_has_not_seen_is_not_lifted(calls: Calls) -> None:
    customer_id = calls.new_customer()
    seen = calls.get(customer_id).customer.revision
    calls.unfreeze(customer_id=customer_id)
    calls.freeze(customer_id=customer_id, reason="another debt")
    assert (
        refusal(lambda: calls.unfreeze(customer_id=customer_id, expected_revision=seen)).reason == "REVISION_MISMATCH"
    )
    assert calls.get(customer_id).customer.freeze_state == ACCOUNT_FROZEN


@every_change
def test_a_replay_is_answered_although_the_revision_moved_on(calls: Calls, place: int) -> None:
    change, customer_id = changes(calls)[place]
    fields = {
        "customer_id": customer_id,
        "expected_revision": calls.get(customer_id).customer.revision,
        "request_id": str(uuid4()),
    }
    first = change(**fields)
    if change == calls.disassociate:
        calls.associate(customer_id=customer_id)
    else:
        calls.disassociate(customer_id=customer_id)
    assert change(**fields) == first


@every_change
def test_another_expected_revision_is_other_content(calls: Calls, place: int) -> None:
    change, customer_id = changes(calls)[place]
    seen, request_id = calls.get(customer_id).customer.revision, str(uuid4())
    change(customer_id=customer_id, expected_revision=seen, request_id=request_id)
    fields = {"customer_id": customer_id, "request_id": request_id}
    assert refusal(lambda: change(**fields, expected_revision=seen + 1)).reason == "REQUEST_ID_REUSED"
    assert refusal(lambda: change(**fields)).reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("action", "state_before", "state_after"),
    [("batch_freeze", "NORMAL", RESOURCES_FROZEN), ("batch_unfreeze", "ACCOUNT_AND_RESOURCES_FROZEN", NORMAL)],
)
def test_validate_only_in_a_batch_tells_each_result_and_changes_nothing(
    calls: Calls, action: str, state_before: str, state_after: int
) -> None:
    change: Change = getattr(calls, action)
    ids = [calls.new_customer(state_before), new_id(), calls.new_customer(state_before)]
    before, at = [calls.get(customer_id).customer for customer_id in (ids[0], ids[2])], revision(calls)
    request_id = str(uuid4())
    fields = {"customer_ids": ids, "scope": RESOURCES, "request_id": request_id}
    batch = change(**fields, validate_only=True)
    assert [result.customer_id for result in batch.results] == ids
    assert batch.results[1].error.code == grpc.StatusCode.NOT_FOUND.value[0]
    for place in (0, 2):
        would_be = batch.results[place].customer
        assert (would_be.freeze_state, would_be.revision) == (state_after, at)
    assert (batch.revision, revision(calls)) == (at, at)
    assert [calls.get(customer_id).customer for customer_id in (ids[0], ids[2])] == before
    # No request_id was kept: the same one makes the change now, and is replayed from then on.
    made = change(**fields)
    assert made.revision == at + 2
    assert change(**fields) == made
    assert change(**fields, validate_only=True).revision == at + 2
