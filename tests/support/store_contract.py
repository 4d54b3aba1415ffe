"""The contract of a store, as tests. Every store must pass them, and so must the service over the wire.

A Subject is frostgate behind one interface: its services, or the wire. The tests do not depend on which.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol

import pytest
from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.customer_errors import (
    AlreadyFrozen,
    CustomerNotFound,
)
from frostgate_server.domain.enums import FreezeEventAction, FreezeScope, FreezeState
from frostgate_server.storage.queries import EventFilter

ACCOUNT, RESOURCES = FreezeScope
NORMAL, ACCOUNT_FROZEN, RESOURCES_FROZEN = FreezeState


class Subject(Protocol):
    """A frostgate under test. Changes return their revision and raise the domain's errors."""

    def associate(self, customer_id: str, partner_id: str) -> int:
        """Associates a customer."""

    def disassociate(self, customer_id: str) -> int:
        """Ends the association of a customer."""

    def freeze(self, customer_id: str, scope: FreezeScope) -> int:
        """Freezes a customer."""

    def unfreeze(self, customer_id: str, scope: FreezeScope) -> int:
        """Unfreezes a customer."""

    def freeze_all(self, customer_ids: list[str], scope: FreezeScope) -> int:
        """Freezes customers in one batch."""

    def state(self, customer_id: str) -> tuple[FreezeState | None, int]:
        """A customer's state, and the revision it was read at."""

    def states(self, customer_ids: list[str]) -> tuple[list[FreezeState | None], int]:
        """The states of customers at one revision."""

    def customer(self, customer_id: str) -> Customer:
        """A customer. Raises CustomerNotFound."""

    def customers(
        self, partner_id: str, freeze_state: FreezeState | None, retention_expired: bool | None, page_size: int
    ) -> list[Customer]:
        """All customers of a partner that match, read page by page."""

    def events(self, wanted: EventFilter, page_size: int) -> list[FreezeEvent]:
        """All events that match, the newest first, read page by page."""


class StoreContract:
    """The tests of the contract. A subclass has a fixture `subject`. Tests may share one, and use their own ids."""

    _numbers = count()

    @pytest.fixture
    def ids(self) -> Iterator[str]:
        """Ids that no other test uses."""
        return (f"{type(self).__name__}-{number}" for number in self._numbers)

    def test_an_unknown_customer_has_no_state(self, subject: Subject, ids: Iterator[str]) -> None:
        assert subject.state(next(ids))[0] is None

    def test_revisions_rise_by_one_with_each_change(self, subject: Subject, ids: Iterator[str]) -> None:
        customer = next(ids)
        first = subject.associate(customer, "p")
        others = [
            subject.freeze(customer, RESOURCES),
            subject.unfreeze(customer, RESOURCES),
            subject.freeze(customer, ACCOUNT),
            subject.disassociate(customer),
        ]
        assert others == [first + 1, first + 2, first + 3, first + 4]

    def test_a_change_is_seen_by_every_read_that_begins_later(self, subject: Subject, ids: Iterator[str]) -> None:
        customer, partner = next(ids), next(ids)
        changes: list[tuple[Callable[[], int], FreezeState]] = [
            (lambda: subject.associate(customer, partner), ACCOUNT_FROZEN),
            (lambda: subject.freeze(customer, RESOURCES), RESOURCES_FROZEN),
            (lambda: subject.unfreeze(customer, RESOURCES), NORMAL),
        ]
        for change, state in changes:
            revision = change()
            assert subject.state(customer) == (state, revision)
            assert subject.states([customer]) == ([state], revision)
            assert (subject.customer(customer).freeze_state, subject.customer(customer).revision) == (state, revision)
            assert [subject.customer(customer)] == subject.customers(partner, None, None, 10)
            assert subject.events(EventFilter(customer_id=customer), 10)[0].revision == revision
        revision = subject.disassociate(customer)
        assert subject.state(customer) == (None, revision)
        assert subject.customers(partner, None, None, 10) == []
        with pytest.raises(CustomerNotFound):
            subject.customer(customer)

    def test_a_refused_change_changes_nothing(self, subject: Subject, ids: Iterator[str]) -> None:
        customer = next(ids)
        revision = subject.associate(customer, "p")
        before = subject.customer(customer)
        with pytest.raises(AlreadyFrozen):
            subject.freeze(customer, ACCOUNT)
        assert subject.customer(customer) == before
        assert subject.state(customer) == (ACCOUNT_FROZEN, revision)
        assert len(subject.events(EventFilter(customer_id=customer), 10)) == 1

    def test_many_states_are_of_one_revision_in_the_order_asked(self, subject: Subject, ids: Iterator[str]) -> None:
        frozen, normal, unknown = next(ids), next(ids), next(ids)
        subject.associate(frozen, "p")
        subject.associate(normal, "p")
        revision = subject.unfreeze(normal, ACCOUNT)
        asked = [unknown, frozen, normal, frozen, unknown]
        assert subject.states(asked) == ([None, ACCOUNT_FROZEN, NORMAL, ACCOUNT_FROZEN, None], revision)

    def test_many_states_never_mix_two_revisions(self, subject: Subject, ids: Iterator[str]) -> None:
        both = [next(ids), next(ids)]
        for customer in both:
            subject.associate(customer, "p")
            subject.unfreeze(customer, ACCOUNT)

        def freeze_and_unfreeze() -> None:
            for _ in range(20):
                subject.freeze_all(both, ACCOUNT)
                subject.unfreeze(both[0], ACCOUNT)
                subject.unfreeze(both[1], ACCOUNT)

        with ThreadPoolExecutor(1) as pool:
            changes = pool.submit(freeze_and_unfreeze)
            seen = set()
            while not changes.done():
                states, _ = subject.states(both)
                seen.add(tuple(states))
            changes.result()
        assert seen <= {(NORMAL, NORMAL), (ACCOUNT_FROZEN, ACCOUNT_FROZEN), (NORMAL, ACCOUNT_FROZEN)}

    def test_events_tell_the_whole_life_newest_first(self, subject: Subject, ids: Iterator[str]) -> None:
        customer = next(ids)
        subject.associate(customer, "p")
        subject.freeze(customer, RESOURCES)
        subject.unfreeze(customer, RESOURCES)
        last = subject.disassociate(customer)
        told = [
            (event.revision, event.action, event.scope, event.state_before, event.state_after)
            for event in subject.events(EventFilter(customer_id=customer), 10)
        ]
        assert told == [
            (last, FreezeEventAction.DISASSOCIATED, None, NORMAL, None),
            (last - 1, FreezeEventAction.UNFROZEN, RESOURCES, RESOURCES_FROZEN, NORMAL),
            (last - 2, FreezeEventAction.FROZEN, RESOURCES, ACCOUNT_FROZEN, RESOURCES_FROZEN),
            (last - 3, FreezeEventAction.ASSOCIATED, None, None, ACCOUNT_FROZEN),
        ]

    @pytest.mark.parametrize("page_size", [1, 2, 3, 100])
    def test_pages_give_every_customer_once_in_order(
        self, subject: Subject, ids: Iterator[str], page_size: int
    ) -> None:
        partner = next(ids)
        customers = sorted(next(ids) for _ in range(5))
        for customer in reversed(customers):
            subject.associate(customer, partner)
        listed = subject.customers(partner, None, None, page_size)
        assert [customer.customer_id for customer in listed] == customers

    @pytest.mark.parametrize("page_size", [1, 2, 100])
    def test_pages_give_every_event_once_newest_first(
        self, subject: Subject, ids: Iterator[str], page_size: int
    ) -> None:
        partner = next(ids)
        revisions = [subject.associate(next(ids), partner) for _ in range(5)]
        listed = subject.events(EventFilter(partner_ids=(partner,)), page_size)
        assert [event.revision for event in listed] == revisions[::-1]

    def test_customers_are_found_by_state_and_by_the_end_of_their_retention(
        self, subject: Subject, ids: Iterator[str]
    ) -> None:
        partner, account, resources, normal = (next(ids) for _ in range(4))
        for customer in (account, resources, normal):
            subject.associate(customer, partner)
        subject.freeze(resources, RESOURCES)
        subject.unfreeze(normal, ACCOUNT)

        def found(state: FreezeState | None, expired: bool | None) -> list[str]:
            return [customer.customer_id for customer in subject.customers(partner, state, expired, 10)]

        assert found(ACCOUNT_FROZEN, None) == [account]
        assert found(RESOURCES_FROZEN, None) == [resources]
        assert found(NORMAL, None) == [normal]
        assert found(None, True) == []
        assert found(None, False) == sorted([account, resources, normal])

    def test_events_are_found_by_customer_partner_revision_and_time(self, subject: Subject, ids: Iterator[str]) -> None:
        customer, other, partner = next(ids), next(ids), next(ids)
        first = subject.associate(customer, partner)
        second = subject.associate(other, partner)
        third = subject.freeze(customer, RESOURCES)
        times = {event.revision: event.event_time for event in subject.events(EventFilter(partner_ids=(partner,)), 10)}

        def found(wanted: EventFilter) -> list[int]:
            return [event.revision for event in subject.events(wanted, 10)]

        assert found(EventFilter(customer_id=customer)) == [third, first]
        assert found(EventFilter(partner_ids=(partner,), after_revision=first)) == [third, second]
        assert found(EventFilter(partner_ids=(partner,), start_time=times[second])) == [third, second]
        assert found(EventFilter(partner_ids=(partner,), end_time=times[second])) == [first]
        assert found(EventFilter(customer_id=next(ids))) == []
        long_ago = datetime(2000, 1, 1, tzinfo=UTC)
        assert found(EventFilter(partner_ids=(partner,), start_time=long_ago, end_time=long_ago + timedelta(1))) == []

    def test_concurrent_changes_get_revisions_without_gaps(self, subject: Subject, ids: Iterator[str]) -> None:
        customers = [next(ids) for _ in range(40)]
        with ThreadPoolExecutor(8) as pool:
            revisions = sorted(pool.map(lambda customer: subject.associate(customer, "p"), customers))
        assert revisions == list(range(revisions[0], revisions[0] + 40))
