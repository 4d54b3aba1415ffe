"""A schema that is changed while a database is served: no check, read or change uses it."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from frostgate_server.domain.enums import FreezeScope, FreezeState
from frostgate_server.domain.errors import StartupError, StorageUnavailable
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.opening import join_store, open_store, prepare_store
from frostgate_server.storage.sqlite.store import SqliteStore
from storage.schema.changes import HARMLESS, SIMPLE, WRITTEN, SchemaChange, change
from support.subjects import ServiceSubject

MANY = [*SIMPLE[::6], *WRITTEN[::6]]


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """The database, opened. Its customers a, b and c are frozen."""
    with closing(open_store(path, create=False)) as opened:
        yield opened


def reads(store: SqliteStore) -> list[Callable[[], Any]]:
    subject = ServiceSubject(store)
    return [
        lambda: subject.state("a"),
        lambda: subject.states(["a", "b"]),
        lambda: subject.customer("a"),
        lambda: store.get_partner("p"),
        lambda: subject.customers("p", None, None, 10),
        store.get_revision,
    ]


def assert_refused(store: SqliteStore) -> None:
    """Every read and every change, more than once."""
    subject = ServiceSubject(store)
    calls: list[Callable[[], Any]] = [
        *reads(store),
        lambda: subject.associate("d", "p"),
        lambda: subject.disassociate("a"),
    ]
    for call in calls + calls:
        with pytest.raises(StorageUnavailable):
            call()


@pytest.mark.parametrize("changed", MANY, ids=[one.name for one in MANY])
def test_no_worker_joins_a_database_whose_schema_was_changed_since(path: Path, changed: SchemaChange) -> None:
    prepared = prepare_store(path, create=False)
    change(path, changed.sql)
    with pytest.raises(StartupError, match=rf"cannot be used: the schema: {changed.named}"):
        join_store(prepared)


@pytest.mark.parametrize("changed", SIMPLE, ids=[one.name for one in SIMPLE])
def test_a_change_of_the_schema_is_noticed_by_the_next_read_and_the_next_change(
    path: Path, store: SqliteStore, changed: SchemaChange
) -> None:
    for read in reads(store):
        read()
    change(path, changed.sql)
    assert_refused(store)


@pytest.mark.parametrize("changed", WRITTEN, ids=[one.name for one in WRITTEN])
def test_a_change_that_sqlite_is_not_told_of_is_noticed_by_the_next_look(
    path: Path, store: SqliteStore, changed: SchemaChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostgate_server.storage.sqlite.connections.SCHEMA_PERIOD", 0.0)
    store.withdraw_overdue()
    change(path, changed.sql)
    store.withdraw_overdue()
    assert_refused(store)


def test_the_first_connection_of_a_thread_notices_a_change(path: Path, store: SqliteStore) -> None:
    (evil,) = (one for one in WRITTEN if one.named == "trigger sqlite_evil")
    change(path, evil.sql)
    with ThreadPoolExecutor(1) as elsewhere, pytest.raises(StorageUnavailable) as noticed:
        elsewhere.submit(store.get_freeze_state, "a").result()
    assert noticed.value.detail == "the schema: trigger sqlite_evil is not one of frostgate's"


def test_all_is_answered_again_once_the_schema_is_right_again(
    path: Path, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    planted = "CREATE TRIGGER a BEFORE UPDATE ON customers BEGIN SELECT RAISE(IGNORE); END"
    for _ in range(2):
        caplog.clear()
        change(path, [planted])
        assert_refused(store)
        change(path, ["DROP TRIGGER a"])
        for read in reads(store):
            read()
        assert ServiceSubject(store).state("a") == (FreezeState.ACCOUNT_FROZEN, store.get_revision())
        ServiceSubject(store).freeze("a", FreezeScope.ACCOUNT_AND_RESOURCES)
        ServiceSubject(store).unfreeze("a", FreezeScope.ACCOUNT_AND_RESOURCES)
        ServiceSubject(store).freeze("a", FreezeScope.ACCOUNT)
        levels = [(record.levelno, record.getMessage().split(":")[0]) for record in caplog.records]
        assert levels == [(logging.CRITICAL, "the schema"), (logging.WARNING, "the schema is correct again")]


@pytest.mark.parametrize("statements", HARMLESS.values(), ids=list(HARMLESS))
def test_a_schema_that_is_the_same_in_other_words_is_served(
    path: Path, store: SqliteStore, statements: list[str]
) -> None:
    before = [read() for read in reads(store)]
    change(path, statements)
    assert [read() for read in reads(store)] == before
    assert ServiceSubject(store).associate("d", "p") == before[-1] + 1


def test_a_version_that_is_put_back_hides_no_change(path: Path, store: SqliteStore) -> None:
    """Neither where the changed schema was seen meanwhile, nor where it was not."""
    for read in reads(store):
        read()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        ((version,),) = other.execute("PRAGMA schema_version").fetchall()
        other.execute("ALTER TABLE customers RENAME TO hidden")
        other.execute("CREATE VIEW customers AS SELECT * FROM hidden WHERE false")
        with pytest.raises(StorageUnavailable):
            store.get_freeze_state("a")
        other.execute(f"PRAGMA schema_version = {version}")
        assert_refused(store)


def test_a_group_that_meets_a_changed_schema_changes_nothing(path: Path, store: SqliteStore) -> None:
    ServiceSubject(store).associate("d", "p")
    revision = store.get_revision()
    body = "UPDATE customers SET partner_id = 'q'"
    change(path, [f"CREATE TRIGGER a AFTER INSERT ON events BEGIN {body}; END"])
    futures = [store.submit_transaction(partial(_associate, f"e-{number}")) for number in range(8)]
    for future in futures:
        with pytest.raises(StorageUnavailable) as noticed:
            future.result()
        assert noticed.value.detail == "the schema: trigger a is not one of frostgate's"
    change(path, ["DROP TRIGGER a"])
    assert store.get_revision() == revision
    assert {customer.partner_id for customer in ServiceSubject(store).customers("p", None, None, 10)} == {"p"}


def _associate(customer_id: str, transaction: Any) -> None:
    raise AssertionError(f"{customer_id} reached the transaction {transaction}")
