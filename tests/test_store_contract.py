"""The store contract, for every store and over the wire."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from frostgate_server import freezing
from frostgate_server.freezing import FreezeEvent, Moment
from frostgate_server.sqlite_store import open_store
from frostgate_server.store import Answered, RequestKey, Store, Transaction
from frostgate_server.vocabulary import FreezeEventAction, FreezeState
from server_process import ServerProcess
from store_contract import StoreContract
from subjects import ServiceSubject, WireSubject

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
    at = Moment(transaction.revision() + 1, NOW)
    customer = freezing.associate(customer_id, None, "p", at)
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
    transaction.record(event, customer)
    return at.revision


def test_a_transaction_that_raises_leaves_nothing_behind(store: Store) -> None:
    key = RequestKey("anonymous", "associate", "1")

    def work(transaction: Transaction) -> None:
        associate(transaction, "a")
        transaction.remember(key, Answered("f", "{}"), NOW)
        raise KeyError("a")

    with pytest.raises(KeyError):
        store.write(work)
    assert (store.state("a"), store.revision(), store.partner("p")) == ((None, 0), 0, None)
    assert store.write(lambda transaction: transaction.answered(key)) is None


def test_a_transaction_sees_its_own_changes_and_nobody_else_does_before_its_end(store: Store) -> None:
    def work(transaction: Transaction) -> tuple[FreezeState, FreezeState | None]:
        associate(transaction, "a")
        inside = transaction.customer("a")
        assert inside is not None
        with ThreadPoolExecutor(1) as elsewhere:
            return inside.freeze_state, elsewhere.submit(store.state, "a").result()[0]

    assert store.write(work) == (FreezeState.ACCOUNT_FROZEN, None)
    assert store.state("a") == (FreezeState.ACCOUNT_FROZEN, 1)


def test_a_revision_out_of_order_is_refused(store: Store) -> None:
    def work(transaction: Transaction) -> None:
        transaction.record(
            FreezeEvent(7, "a", "p", FreezeEventAction.FROZEN, None, None, None, "r", "a", "", NOW), None
        )

    with pytest.raises(ValueError, match="revision 7 does not follow 0"):
        store.write(work)


def remember(store: Store, key: RequestKey, at: datetime) -> None:
    store.write(lambda transaction: transaction.remember(key, Answered("f", "a"), at))


def test_an_answer_is_remembered_for_a_day_and_forgotten_bit_by_bit_after_it(store: Store) -> None:
    keys = [RequestKey("anonymous", "freeze", str(number)) for number in range(22)]
    day = timedelta(hours=24)
    for key in keys[:20]:
        remember(store, key, NOW)

    def kept(transaction: Transaction) -> int:
        return sum(transaction.answered(key) is not None for key in keys[:20])

    remember(store, keys[20], NOW + day)
    assert store.write(kept) == 20
    remember(store, keys[21], NOW + day + timedelta(microseconds=1))
    assert store.write(kept) == 4


def test_answers_are_kept_apart_by_principal_method_and_id(store: Store) -> None:
    key = RequestKey("anonymous", "freeze", "1")
    remember(store, key, NOW)
    others = [
        RequestKey("x", "freeze", "1"),
        RequestKey("anonymous", "unfreeze", "1"),
        RequestKey("anonymous", "freeze", "2"),
    ]
    assert store.write(lambda transaction: transaction.answered(key)) == Answered("f", "a")
    assert store.write(lambda transaction: [transaction.answered(other) for other in others]) == [None, None, None]
