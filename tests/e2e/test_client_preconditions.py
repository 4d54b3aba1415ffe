"""expected_revision and validate_only in batches, by both clients against a real server."""

from typing import Any

import frostgate
import pytest
from frostgate import FreezeScope, FreezeState
from support.both_clients import new_customer
from support.calls import new_id


def test_a_freeze_that_the_caller_has_not_seen_is_not_lifted(client: Any) -> None:
    customer_id = new_customer(client, "ACCOUNT_FROZEN")
    seen = client.get_customer(customer_id=customer_id).revision
    client.unfreeze_customer(customer_id=customer_id, scope=FreezeScope.ACCOUNT, reason="paid", expected_revision=seen)
    client.freeze_customer(customer_id=customer_id, scope=FreezeScope.ACCOUNT, reason="another debt")
    present = client.get_customer(customer_id=customer_id)
    with pytest.raises(frostgate.RevisionMismatch) as refused:
        client.unfreeze_customer(
            customer_id=customer_id, scope=FreezeScope.ACCOUNT, reason="paid", expected_revision=seen
        )
    assert (refused.value.customer_id, refused.value.expected_revision) == (customer_id, seen)
    assert refused.value.revision == present.revision
    assert client.get_customer(customer_id=customer_id) == present


def test_an_association_ends_only_at_the_expected_revision(client: Any) -> None:
    customer_id = new_customer(client, "NORMAL")
    seen = client.get_customer(customer_id=customer_id).revision
    with pytest.raises(frostgate.RevisionMismatch):
        client.disassociate_customer(customer_id=customer_id, reason="gone", expected_revision=seen - 1)
    client.disassociate_customer(customer_id=customer_id, reason="gone", expected_revision=seen)
    with pytest.raises(frostgate.NotFound):
        client.get_customer(customer_id=customer_id)


def test_a_batch_that_only_validates_changes_nothing(client: Any) -> None:
    normal, frozen, unknown = new_customer(client, "NORMAL"), new_customer(client, "ACCOUNT_FROZEN"), new_id()
    ids = [normal, frozen, unknown]
    before = [client.get_customer(customer_id=customer_id) for customer_id in ids[:2]]
    would_be = client.batch_freeze_customers(
        customer_ids=ids, scope=FreezeScope.ACCOUNT, reason="unpaid", validate_only=True
    )
    assert would_be.results[normal].freeze_state is FreezeState.ACCOUNT_FROZEN
    assert would_be.results[frozen].reason == "ALREADY_FROZEN"
    assert would_be.results[unknown].reason == "CUSTOMER_NOT_FOUND"
    assert [client.get_customer(customer_id=customer_id) for customer_id in ids[:2]] == before
    lifted = client.batch_unfreeze_customers(
        customer_ids=[frozen], scope=FreezeScope.ACCOUNT, reason="paid", validate_only=True
    )
    assert lifted.results[frozen].freeze_state is FreezeState.NORMAL
    assert client.get_customer(customer_id=frozen).freeze_state is FreezeState.ACCOUNT_FROZEN
