"""The store contract, for every store and over the wire."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from frostgate_server.domain import customer as transitions
from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.customer import FreezeEvent, Moment
from frostgate_server.domain.enums import FreezeEventAction, FreezeState
from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import SentCode
from frostgate_server.storage.interface import Store, Transaction
from frostgate_server.storage.queries import CountKind, EventFilter, RequestKey, StoredResponse
from frostgate_server.storage.sqlite.opening import open_store
from support.server_process import ServerProcess
from support.store_contract import StoreContract
from support.subjects import ServiceSubject, WireSubject

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    assert request.param == "sqlite"
    opened = open_store(tmp_path / "frostgate.db", create=True)
    yield opened
    opened.close()


class TestStores(StoreContract):
    """Each store keeps the promises."""

    @pytest.fixture
    def subject(self, store: Store) -> ServiceSubject:
        return ServiceSubject(store)


class TestWire(StoreContract):
    """The server keeps them, too."""

    @pytest.fixture
    def subject(self, server: ServerProcess) -> WireSubject:
        return WireSubject(server)


def associate(transaction: Transaction, customer_id: str) -> int:
    at = Moment(transaction.get_revision() + 1, NOW)
    customer = transitions.associate(customer_id, None, "p", at)
    event = FreezeEvent(
        revision=at.revision,
        customer_id=customer_id,
        partner_id="p",
        action=FreezeEventAction.ASSOCIATED,
        scope=None,
        state_before=None,
        state_after=customer.freeze_state,
        reason="because",
        actor="anonymous",
        request_id="",
        event_time=NOW,
    )
    transaction.append_event(event, customer)
    return at.revision


def test_a_transaction_that_raises_leaves_nothing_behind(store: Store) -> None:
    key = RequestKey("anonymous", "associate", "1")

    def work(transaction: Transaction) -> None:
        associate(transaction, "a")
        transaction.save_response(key, StoredResponse("f", "{}"), NOW)
        raise KeyError("a")

    with pytest.raises(KeyError):
        store.run_transaction(work)
    assert (store.get_freeze_state("a"), store.get_revision(), store.get_partner("p")) == ((None, 0), 0, None)
    assert store.run_transaction(lambda transaction: transaction.get_response(key)) is None


def test_a_transaction_sees_its_own_changes_and_nobody_else_does_before_its_end(store: Store) -> None:
    def work(transaction: Transaction) -> tuple[FreezeState, FreezeState | None]:
        associate(transaction, "a")
        inside = transaction.get_customer("a")
        assert inside is not None
        with ThreadPoolExecutor(1) as elsewhere:
            return inside.freeze_state, elsewhere.submit(store.get_freeze_state, "a").result()[0]

    assert store.run_transaction(work) == (FreezeState.ACCOUNT_FROZEN, None)
    assert store.get_freeze_state("a") == (FreezeState.ACCOUNT_FROZEN, 1)


def test_a_revision_out_of_order_is_refused(store: Store) -> None:
    def work(transaction: Transaction) -> None:
        transaction.append_event(
            FreezeEvent(7, "a", "p", FreezeEventAction.FROZEN, None, None, None, "r", "a", "", NOW), None
        )

    with pytest.raises(ValueError, match="revision 7 does not follow 0"):
        store.run_transaction(work)


def remember(store: Store, key: RequestKey, at: datetime) -> None:
    store.run_transaction(lambda transaction: transaction.save_response(key, StoredResponse("f", "a"), at))


def test_an_answer_is_remembered_for_a_day_and_forgotten_bit_by_bit_after_it(store: Store) -> None:
    keys = [RequestKey("anonymous", "freeze", str(number)) for number in range(22)]
    day = timedelta(hours=24)
    for key in keys[:20]:
        remember(store, key, NOW)

    def kept(transaction: Transaction) -> int:
        return sum(transaction.get_response(key) is not None for key in keys[:20])

    remember(store, keys[20], NOW + day)
    assert store.run_transaction(kept) == 20
    remember(store, keys[21], NOW + day + timedelta(microseconds=1))
    assert store.run_transaction(kept) == 4


def test_answers_are_kept_apart_by_principal_method_and_id(store: Store) -> None:
    key = RequestKey("anonymous", "freeze", "1")
    remember(store, key, NOW)
    others = [
        RequestKey("x", "freeze", "1"),
        RequestKey("anonymous", "unfreeze", "1"),
        RequestKey("anonymous", "freeze", "2"),
    ]
    assert store.run_transaction(lambda transaction: transaction.get_response(key)) == StoredResponse("f", "a")
    assert store.run_transaction(lambda transaction: [transaction.get_response(other) for other in others]) == [
        None,
        None,
        None,
    ]


def test_a_partner_exists_from_its_first_customer_and_is_what_was_put_last(store: Store) -> None:
    store.run_transaction(lambda transaction: associate(transaction, "a"))
    assert store.get_partner("p") == Partner("p")
    enabled = Partner("p", verification_code_enabled=True, verification_contact="a@example.org")
    store.run_transaction(lambda transaction: transaction.save_partner(enabled))
    store.run_transaction(lambda transaction: associate(transaction, "b"))
    assert store.get_partner("p") == enabled
    assert store.run_transaction(lambda transaction: transaction.get_partner("p")) == enabled
    assert store.get_partner("q") is None


def test_a_partner_has_one_code_or_none(store: Store) -> None:
    first, second = SentCode("1", "d", NOW), SentCode("2", "e", NOW + timedelta(microseconds=1), tries=3)

    def code() -> SentCode | None:
        return store.run_transaction(lambda transaction: transaction.get_code("p"))

    assert code() is None
    store.run_transaction(lambda transaction: transaction.save_code("p", first))
    assert code() == first
    store.run_transaction(lambda transaction: transaction.save_code("p", second))
    assert code() == second
    assert store.run_transaction(lambda transaction: transaction.get_code("q")) is None
    store.run_transaction(lambda transaction: transaction.delete_code("p"))
    assert code() is None


def test_what_counts_against_a_partner_counts_for_an_hour(store: Store) -> None:
    hour, second = timedelta(hours=1), timedelta(seconds=1)

    def counted(since: datetime) -> list[datetime]:
        return store.run_transaction(lambda transaction: transaction.list_counts("p", CountKind.FAILED, since))

    def count(partner_id: str, kind: CountKind, count_id: str, at: datetime) -> None:
        store.run_transaction(lambda transaction: transaction.add_count(partner_id, kind, count_id, at))

    count("p", CountKind.FAILED, "2", NOW + second)
    count("p", CountKind.FAILED, "1", NOW)
    count("p", CountKind.SENT, "1", NOW)
    count("q", CountKind.FAILED, "1", NOW)
    assert counted(NOW - second) == [NOW, NOW + second]
    assert counted(NOW) == [NOW + second]
    count("p", CountKind.FAILED, "3", NOW + hour)
    assert counted(NOW - hour) == [NOW + second, NOW + hour]
    store.run_transaction(lambda transaction: transaction.delete_count("p", CountKind.FAILED, "3"))
    store.run_transaction(lambda transaction: transaction.delete_count("p", CountKind.FAILED, "unknown"))
    assert counted(NOW - hour) == [NOW + second]


def test_a_note_moves_no_revision_and_is_undone_with_its_transaction(store: Store) -> None:
    note = AuditNote("sub:a", "UpdatePartner", "", "p", NOW, partner=Partner("p"))

    def work(transaction: Transaction) -> None:
        transaction.append_audit_note(note)
        transaction.save_partner(Partner("p"))
        transaction.save_code("p", SentCode("1", "d", NOW))
        transaction.add_count("p", CountKind.SENT, "1", NOW)
        raise KeyError("p")

    store.run_transaction(lambda transaction: transaction.append_audit_note(note))
    with pytest.raises(KeyError):
        store.run_transaction(work)
    assert (store.get_revision(), store.get_partner("p")) == (0, None)
    assert store.run_transaction(lambda transaction: transaction.get_code("p")) is None
    assert (
        store.run_transaction(lambda transaction: transaction.list_counts("p", CountKind.SENT, NOW - timedelta(1)))
        == []
    )


def test_events_of_several_partners_come_in_one_order(store: Store) -> None:
    subject = ServiceSubject(store)
    for number in range(9):
        subject.associate(f"c{number}", f"p{number % 3}")
    wanted = EventFilter(partner_ids=("p0", "p2"))
    assert [event.revision for event in subject.events(wanted, 2)] == [9, 7, 6, 4, 3, 1]
    assert [event.revision for event in store.list_events(wanted, 7, 2)] == [6, 4]
    later = EventFilter(partner_ids=("p0", "p2"), after_revision=5)
    assert [event.revision for event in subject.events(later, 50)] == [9, 7, 6]
    assert store.list_events(EventFilter(customer_id="c1", partner_ids=("p0",)), None, 9) == []
