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
from support.listings import all_events, still_wanted
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
    assert store.run_transaction(lambda transaction: transaction.get_response(key, NOW)) is None


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


def found(store: Store, keys: list[RequestKey], now: datetime) -> int:
    """How many of the keys have an answer."""
    return store.run_transaction(
        lambda transaction: sum(transaction.get_response(key, now) is not None for key in keys)
    )


def test_an_answer_is_found_for_a_day_and_then_deleted_bit_by_bit(store: Store) -> None:
    keys = [RequestKey("anonymous", "freeze", str(number)) for number in range(22)]
    day, moment = timedelta(hours=24), timedelta(microseconds=1)
    for key in keys[:20]:
        remember(store, key, NOW)
    remember(store, keys[20], NOW + day - moment)
    assert found(store, keys[:20], NOW + day - moment) == 20
    assert found(store, keys[:20], NOW + day) == 0
    assert found(store, keys[:20], NOW) == 20
    remember(store, keys[21], NOW + day)
    assert found(store, keys[:20], NOW) == 4


def test_an_expired_answer_that_was_not_deleted_is_replaced(store: Store) -> None:
    key, day = RequestKey("anonymous", "freeze", "1"), timedelta(hours=24)
    remember(store, key, NOW)
    again = StoredResponse("g", "b")
    store.run_transaction(lambda transaction: transaction.save_response(key, again, NOW + day))
    assert store.run_transaction(lambda transaction: transaction.get_response(key, NOW + day)) == again


def test_answers_are_kept_apart_by_principal_method_and_id(store: Store) -> None:
    key = RequestKey("anonymous", "freeze", "1")
    remember(store, key, NOW)
    others = [
        RequestKey("x", "freeze", "1"),
        RequestKey("anonymous", "unfreeze", "1"),
        RequestKey("anonymous", "freeze", "2"),
    ]
    assert store.run_transaction(lambda transaction: transaction.get_response(key, NOW)) == StoredResponse("f", "a")
    assert store.run_transaction(lambda transaction: [transaction.get_response(other, NOW) for other in others]) == [
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


HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def counted(store: Store, now: datetime) -> list[datetime]:
    """The failures of partner p."""
    return store.run_transaction(lambda transaction: transaction.list_counts("p", CountKind.FAILED, now))


def count(store: Store, partner_id: str, kind: CountKind, count_id: str, at: datetime) -> None:
    store.run_transaction(lambda transaction: transaction.add_count(partner_id, kind, count_id, at))


def test_what_counts_against_a_partner_counts_for_an_hour(store: Store) -> None:
    count(store, "p", CountKind.FAILED, "2", NOW + SECOND)
    count(store, "p", CountKind.FAILED, "1", NOW)
    count(store, "p", CountKind.SENT, "1", NOW)
    count(store, "q", CountKind.FAILED, "1", NOW)
    assert counted(store, NOW + HOUR - SECOND) == [NOW, NOW + SECOND]
    assert counted(store, NOW + HOUR) == [NOW + SECOND]
    count(store, "p", CountKind.FAILED, "3", NOW + HOUR)
    assert counted(store, NOW + HOUR) == [NOW + SECOND, NOW + HOUR]
    store.run_transaction(lambda transaction: transaction.delete_count("p", CountKind.FAILED, "3"))
    store.run_transaction(lambda transaction: transaction.delete_count("p", CountKind.FAILED, "unknown"))
    assert counted(store, NOW + HOUR) == [NOW + SECOND]
    store.run_transaction(lambda transaction: transaction.delete_counts("q"))
    assert counted(store, NOW + HOUR) == [NOW + SECOND]
    store.run_transaction(lambda transaction: transaction.delete_counts("p"))
    assert counted(store, NOW + HOUR) == []


def test_counts_from_the_future_count_as_now_from_then_on_or_not_at_all(store: Store) -> None:
    count(store, "p", CountKind.FAILED, "far", NOW + HOUR + SECOND)
    count(store, "p", CountKind.FAILED, "near", NOW + HOUR)

    def refused(transaction: Transaction) -> None:
        assert transaction.list_counts("p", CountKind.FAILED, NOW) == [NOW]
        raise KeyError("p")

    with pytest.raises(KeyError):
        store.run_transaction(refused)
    assert counted(store, NOW + SECOND) == [NOW]
    assert counted(store, NOW + HOUR) == []
    assert counted(store, NOW + HOUR + SECOND) == []


def test_an_answer_from_the_future_counts_as_now_from_then_on_or_not_at_all(store: Store) -> None:
    near, far = RequestKey("anonymous", "freeze", "near"), RequestKey("anonymous", "freeze", "far")
    remember(store, near, NOW + 24 * HOUR)
    remember(store, far, NOW + 24 * HOUR + SECOND)
    assert (found(store, [near], NOW), found(store, [far], NOW)) == (1, 0)
    assert found(store, [near], NOW + 24 * HOUR - SECOND) == 1
    assert found(store, [near], NOW + 24 * HOUR) == 0
    remember(store, RequestKey("anonymous", "freeze", "another"), NOW)
    assert found(store, [far], NOW + 25 * HOUR) == 0


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
    assert store.run_transaction(lambda transaction: transaction.list_counts("p", CountKind.SENT, NOW)) == []


def test_events_of_several_partners_come_in_one_order(store: Store) -> None:
    subject = ServiceSubject(store)
    for number in range(9):
        subject.associate(f"c{number}", f"p{number % 3}")
    wanted = EventFilter(partner_ids=("p0", "p2"))
    assert [event.revision for event in subject.events(wanted, 2)] == [9, 7, 6, 4, 3, 1]
    assert [event.revision for event in store.list_events(wanted, 7, 2, still_wanted).items] == [6, 4]
    later = EventFilter(partner_ids=("p0", "p2"), after_revision=5)
    assert [event.revision for event in subject.events(later, 50)] == [9, 7, 6]
    assert all_events(store, EventFilter(customer_id="c1", partner_ids=("p0",))) == []
