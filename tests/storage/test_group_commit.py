"""Changes that come at the same time share a commit, and still know nothing of each other."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest
from frostgate_server.domain.customer_errors import (
    CustomerAlreadyAssociated,
)
from frostgate_server.domain.errors import (
    OutcomeUnknown,
    StorageUnavailable,
)
from frostgate_server.storage.interface import Store, Transaction
from frostgate_server.storage.sqlite import group_commit
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.head_file import HeadFile
from frostgate_server.storage.sqlite.opening import open_store
from frostgate_server.storage.sqlite.store import SqliteStore
from frostgate_server.storage.sqlite.write_queue import PendingWrite, WriteQueue
from support.listings import all_events
from support.subjects import ServiceSubject

MANY = 32

Together = Callable[[list[Callable[[], object]]], list[Future[object]]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "frostgate.db"


@pytest.fixture
def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    """A store whose groups take in all that waits, however slow the machine."""
    monkeypatch.setattr(group_commit, "GROUP_PERIOD", 30.0)
    with closing(open_store(path, create=True)) as store:
        yield store


@pytest.fixture
def together(store: SqliteStore, path: Path) -> Iterator[Together]:
    """Makes changes wait until all of them do, in their order, so that they become one group."""
    waiting = store._group_commit._waiting
    with ThreadPoolExecutor(MANY) as threads, closing(HeadFile(path.with_name(path.name + "-head"))) as another:

        def make(changes: list[Callable[[], object]]) -> list[Future[object]]:
            futures = []
            with another.locked():
                for number, change in enumerate(changes):
                    futures.append(threads.submit(change))
                    while len(waiting) != number + 1:  # the commit thread waits for the lock
                        assert not any(future.done() for future in futures)
            return futures

        yield make


class OpenTransaction:
    """A store whose writes are part of a transaction under way."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def submit_transaction(self, work: Callable[[Transaction], Any]) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(self._transaction))
        return done


def subject_in(transaction: Transaction) -> ServiceSubject:
    return ServiceSubject(cast(Store, OpenTransaction(transaction)))


def associating(subject: ServiceSubject, customer_id: str) -> Callable[[], object]:
    return lambda: subject.associate(customer_id, "p")


def associate_in(transaction: Transaction, customer_id: str) -> int:
    return subject_in(transaction).associate(customer_id, "p")


def test_changes_that_wait_together_share_one_fsync(
    store: SqliteStore, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = ServiceSubject(store)
    synced = []
    fdatasync = os.fdatasync

    def counted(file: int) -> None:
        synced.append(file)
        fdatasync(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    futures = together([associating(subject, f"c{number}") for number in range(MANY)])
    assert [future.result() for future in futures] == list(range(1, MANY + 1))
    assert len(synced) == 1


def test_a_refused_change_leaves_no_trace_in_its_group(store: SqliteStore, together: Together) -> None:
    subject = ServiceSubject(store)

    def half_done() -> None:
        def work(transaction: Transaction) -> None:
            subject_in(transaction).associate("half", "p")
            raise ZeroDivisionError

        store.run_transaction(work)

    first, refused, failed, last = together(
        [associating(subject, "a"), associating(subject, "a"), half_done, associating(subject, "b")]
    )
    assert (first.result(), last.result()) == (1, 2)
    assert isinstance(refused.exception(), CustomerAlreadyAssociated)
    assert isinstance(failed.exception(), ZeroDivisionError)
    assert subject.state("half") == (None, 2)
    assert [event.customer_id for event in all_events(store)] == ["b", "a"]


def test_if_a_group_may_be_lost_each_of_its_changes_is_told_so_the_refused_one_too(
    store: SqliteStore, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = ServiceSubject(store)

    def failing(_: int) -> None:
        raise OSError("the disk fails")

    monkeypatch.setattr(os, "fdatasync", failing)
    made, refused = together([associating(subject, "a"), associating(subject, "a")])
    assert isinstance(made.exception(), OutcomeUnknown)
    assert isinstance(refused.exception(), OutcomeUnknown)


def test_if_the_disk_is_full_nothing_of_the_group_is_made(store: SqliteStore, together: Together) -> None:
    subject = ServiceSubject(store)
    execute = store._group_commit._connection.execute
    ((pages,),) = execute("PRAGMA page_count").fetchall()
    execute(f"PRAGMA max_page_count = {pages + 1}")

    def large() -> None:
        def work(transaction: Transaction) -> None:
            for number in range(10_000):
                subject_in(transaction).associate(f"new-{number}", "p")

        store.run_transaction(work)

    outcomes = [future.exception() for future in together([associating(subject, "a"), large])]
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable, StorageUnavailable]
    assert {"full" in str(outcome.detail) for outcome in outcomes if isinstance(outcome, StorageUnavailable)} == {True}
    assert (store.get_revision(), all_events(store)) == (0, [])
    execute("PRAGMA max_page_count = 1000000")
    assert subject.associate("after", "p") == 1


def test_a_change_that_waited_too_long_is_withdrawn(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WRITE_TIMEOUT", 0.05)
    with closing(HeadFile(path.with_name(path.name + "-head"))) as another, another.locked():
        for customer_id in ("a", "b"):
            with pytest.raises(StorageUnavailable) as busy:
                store.run_transaction(partial(associate_in, customer_id=customer_id))
            assert busy.value.detail == "a change waited 0.05 s for its turn"
        assert len(store._group_commit._waiting) == 0
    assert ServiceSubject(store).associate("c", "p") == 1


def test_a_group_that_fails_leaves_a_store_that_works_also_if_one_of_it_was_withdrawn(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, waiting = ServiceSubject(store), store._group_commit._waiting
    fdatasync = os.fdatasync

    def failing(_: int) -> None:
        raise OSError("the disk fails")

    with closing(HeadFile(path.with_name(path.name + "-head"))) as another, ThreadPoolExecutor(2) as threads:
        with another.locked():
            monkeypatch.setattr(group_commit, "WRITE_TIMEOUT", 0.05)
            for customer_id in ("first", "withdrawn"):
                with pytest.raises(StorageUnavailable):
                    store.run_transaction(partial(associate_in, customer_id=customer_id))
            monkeypatch.setattr(group_commit, "WRITE_TIMEOUT", 30.0)
            waits = [threads.submit(subject.associate, customer_id, "p") for customer_id in ("a", "b")]
            while len(waiting) < 2:
                assert not any(change.done() for change in waits)
            monkeypatch.setattr(os, "fdatasync", failing)
        assert [type(change.exception()) for change in waits] == [OutcomeUnknown, OutcomeUnknown]
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        assert subject.associate("c", "p") == 3
    assert subject.state("withdrawn") == (None, 3)


def test_if_a_savepoint_cannot_be_undone_nothing_of_the_group_is_made(
    store: SqliteStore, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = ServiceSubject(store)
    connection = store._group_commit._connection

    class FailingToUndo:
        def execute(self, sql: str, *values: object) -> object:
            if sql.startswith("ROLLBACK TO"):
                raise sqlite3.OperationalError("disk I/O error")
            return connection.execute(sql, *values)

        def __getattr__(self, name: str) -> object:
            return getattr(connection, name)

    monkeypatch.setattr(store._group_commit, "_connection", FailingToUndo())
    outcomes = together([associating(subject, "a"), associating(subject, "a")])
    assert [type(outcome.exception()) for outcome in outcomes] == [StorageUnavailable, StorageUnavailable]
    assert store.get_revision() == 0
    monkeypatch.undo()
    assert subject.associate("b", "p") == 1


def test_a_change_that_is_being_made_is_waited_for(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "WRITE_TIMEOUT", 0.05)
    withdrawing = Event()
    withdraw = WriteQueue.withdraw

    def noticed(queue: WriteQueue, change: PendingWrite) -> bool:
        withdrawn = withdraw(queue, change)
        withdrawing.set()
        return withdrawn

    monkeypatch.setattr(WriteQueue, "withdraw", noticed)
    assert store.run_transaction(lambda _: withdrawing.wait(60)) is True


def test_another_connections_transaction_is_waited_for_and_then_given_up(store: SqliteStore, path: Path) -> None:
    store._group_commit._connection.execute("PRAGMA busy_timeout = 50")
    subject = ServiceSubject(store)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable) as busy:
        subject.associate("a", "p")
    assert busy.value.detail == "database is locked"
    blocker.execute("ROLLBACK")
    blocker.close()
    assert subject.associate("a", "p") == 1


def test_two_stores_on_one_database_share_one_order_of_revisions(store: SqliteStore, path: Path) -> None:
    with closing(open_store(path, create=False)) as another, ThreadPoolExecutor(MANY) as threads:
        subjects = [ServiceSubject(store), ServiceSubject(another)]
        revisions = threads.map(lambda number: subjects[number % 2].associate(f"c{number}", "p"), range(200))
        assert sorted(revisions) == list(range(1, 201))
        assert store.get_revision() == another.get_revision() == 200
