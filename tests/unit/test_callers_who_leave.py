"""A call whose caller has gone is not worked on: it ends before each of its expensive steps, and changes nothing."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from frostgate.v1.policy_decision_service_pb2 import BatchCheckOperationsRequest, CheckOperationRequest
from frostgate.v1.policy_pb2 import BILLING_MODE_SPOT, OPERATION_VIEW
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.enums import Decision, FreezeScope, FreezeState
from frostgate_server.domain.errors import CallerCancelled, StorageUnavailable
from frostgate_server.policy.loader import load
from frostgate_server.rpc.policy_decision_servicer import PolicyDecisionServicer
from frostgate_server.services.commands import BatchFreezeCommand
from frostgate_server.services.decision_service import DecisionService
from frostgate_server.storage.interface import Store
from frostgate_server.storage.sqlite.opening import open_store
from support.subjects import RETENTION, ServiceSubject, freeze_service

CUSTOMERS = ("a", "b", "c")
BATCH = BatchCheckOperationsRequest(
    checks=[
        CheckOperationRequest(customer_id=customer, operation=OPERATION_VIEW, billing_mode=BILLING_MODE_SPOT)
        for customer in CUSTOMERS
    ]
)


@dataclass
class Leaving:
    """Waits for so many looks, then is gone."""

    looks: int
    caller: Caller = field(init=False)

    def __post_init__(self) -> None:
        self.caller = Caller(waits=self._waits)

    def _waits(self) -> bool:
        self.looks -= 1
        return self.looks >= 0


class CountedDecisions(DecisionService):
    """Counts its reads."""

    reads = 0

    def read_states(
        self, customer_ids: list[str], minimum_revision: int
    ) -> tuple[list[FreezeState | StorageUnavailable | None], int]:
        self.reads += 1
        return super().read_states(customer_ids, minimum_revision)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with three customers."""
    with closing(open_store(tmp_path / "frostgate.db", create=True)) as opened:
        subject = ServiceSubject(opened)
        for customer in CUSTOMERS:
            subject.associate(customer, "p")
        yield opened


@pytest.mark.parametrize(("looks", "reads"), [(0, 0), (1, 1)])
def test_a_batch_of_checks_is_not_read_and_not_answered_for_a_caller_who_has_gone(
    store: Store, looks: int, reads: int
) -> None:
    decisions = CountedDecisions(store)
    servicer = PolicyDecisionServicer(decisions, load(None, Decision.DENY))
    with pytest.raises(CallerCancelled):
        servicer.BatchCheckOperations(Leaving(looks).caller, BATCH)
    assert decisions.reads == reads
    assert servicer.BatchCheckOperations(Leaving(looks=2).caller, BATCH)


@pytest.mark.parametrize("looks", [0, 1])
def test_a_batch_of_changes_is_not_made_for_a_caller_who_has_gone(store: Store, looks: int) -> None:
    freeze = BatchFreezeCommand(
        customer_ids=CUSTOMERS, scope=FreezeScope.ACCOUNT_AND_RESOURCES, reason="unpaid", request_id="1"
    )
    service = freeze_service(store, RETENTION)
    with pytest.raises(CallerCancelled):
        service.change_customers(Leaving(looks).caller, freeze).result()
    assert store.get_revision() == len(CUSTOMERS)
    assert service.change_customers(Leaving(looks=2).caller, freeze).result().revision == 2 * len(CUSTOMERS)
