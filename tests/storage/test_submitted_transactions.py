"""Transactions that no thread waits for: their futures, the callbacks of those, and how overdue ones are withdrawn."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.storage.interface import Transaction
from frostgate_server.storage.sqlite import group_commit
from frostgate_server.storage.sqlite.files.head_file import HeadFile
from frostgate_server.storage.sqlite.opening import open_store
from frostgate_server.storage.sqlite.store import SqliteStore
from storage.test_store_contract import associate
from support.listings import all_events
from support.processes import PATIENCE, Process
from support.worker_processes import is_stopped

OTHER_PROCESS = """
import sys
from pathlib import Path
from frostgate_server.storage.sqlite.opening import open_store
sys.path.insert(0, sys.argv[2])
from storage.test_store_contract import associate

def work(transaction):
    print("inside its group", flush=True)
    sys.stdin.readline()
    return associate(transaction, "other")

store = open_store(Path(sys.argv[1]), create=False)
print(store.run_transaction(work), flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "frostgate.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(path, create=True)) as store:
        yield store


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps every group of changes from its transaction, as another process does."""
    with closing(HeadFile(path.with_name(path.name + "-head"))) as another, another.locked():
        yield


def submit(store: SqliteStore, customer_id: str) -> Future[int]:
    return store.submit_transaction(partial(associate, customer_id=customer_id))


def associated(store: SqliteStore) -> list[str]:
    """The customers of all events, in their order."""
    return [event.customer_id for event in all_events(store)][::-1]


def withdraw_until_completed(store: SqliteStore, futures: list[Future[int]]) -> None:
    """Does as the timer of a server does."""
    while wait(futures, 0.01).not_done:
        store.withdraw_overdue()


def test_a_future_gets_the_result_or_the_exception(store: SqliteStore) -> None:
    assert submit(store, "a").result(PATIENCE) == 1
    assert isinstance(store.submit_transaction(lambda _: 1 // 0).exception(PATIENCE), ZeroDivisionError)
    assert submit(store, "b").result(PATIENCE) == 2


def test_callbacks_run_in_the_commit_thread_once_the_whole_group_is_on_disk(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fdatasync, steps = os.fdatasync, []

    def noted(file: int) -> None:
        fdatasync(file)
        steps.append("on disk")

    def answered(future: Future[int]) -> None:
        steps.append(f"{future.result()} answered by {threading.current_thread().name}")

    monkeypatch.setattr(os, "fdatasync", noted)
    with locked(path):
        futures = [submit(store, customer_id) for customer_id in ("a", "b")]
        for future in futures:
            future.add_done_callback(answered)
    wait(futures, PATIENCE)
    store.run_transaction(lambda _: None)
    assert steps == ["on disk", "1 answered by group-commit", "2 answered by group-commit"]


def test_a_callback_that_raises_is_logged_and_harms_no_other(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Future[int]) -> None:
        raise ZeroDivisionError("in a callback")

    with locked(path):
        first, second = submit(store, "a"), submit(store, "b")
        first.add_done_callback(fail)
    assert (first.result(PATIENCE), second.result(PATIENCE)) == (1, 2)
    assert submit(store, "c").result(PATIENCE) == 3
    assert [(record.levelno, str(record.exc_info and record.exc_info[1])) for record in caplog.records] == [
        (logging.ERROR, "in a callback")
    ]


def test_a_callback_may_submit_a_transaction_also_while_the_store_closes(path: Path) -> None:
    store = open_store(path, create=True)
    following: list[Future[int]] = []

    def follow(_: Future[int]) -> None:
        following.append(submit(store, "b"))

    closer = threading.Thread(target=store.close)
    with locked(path):
        submit(store, "a").add_done_callback(follow)
        closer.start()
    closer.join(PATIENCE)
    assert [future.result(0) for future in following] == [2]


def test_a_future_that_is_cancelled_before_its_turn_withdraws_the_transaction(store: SqliteStore, path: Path) -> None:
    with locked(path):
        first, cancelled, last = (submit(store, customer_id) for customer_id in ("a", "b", "c"))
        assert cancelled.cancel()
    assert (first.result(PATIENCE), last.result(PATIENCE)) == (1, 2)
    assert associated(store) == ["a", "c"]


def test_an_overdue_transaction_is_withdrawn_and_answered_in_the_calling_thread(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WRITE_TIMEOUT", 0.2)
    threads = []
    with locked(path):
        overdue = [submit(store, customer_id) for customer_id in ("a", "b")]
        overdue[0].add_done_callback(lambda _: threads.append(threading.current_thread()))
        store.withdraw_overdue()
        assert not overdue[0].done()
        withdraw_until_completed(store, overdue)
        in_time = submit(store, "c")
        store.withdraw_overdue()
    assert in_time.result(PATIENCE) == 1
    for future in overdue:
        error = future.exception(0)
        assert isinstance(error, StorageUnavailable)
        assert error.detail == "a change waited 0.2 s for its turn"
    assert threads == [threading.current_thread()]
    assert associated(store) == ["c"]


def test_a_transaction_that_has_begun_is_answered_by_its_outcome(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_end = Event(), Event()

    def work(transaction: Transaction) -> int:
        began.set()
        assert may_end.wait(PATIENCE)
        return associate(transaction, "a")

    monkeypatch.setattr(group_commit, "WRITE_TIMEOUT", 0.0)
    begun = store.submit_transaction(work)
    assert began.wait(PATIENCE)
    waits = submit(store, "b")
    store.withdraw_overdue()
    assert isinstance(waits.exception(0), StorageUnavailable)
    assert not begun.done()
    may_end.set()
    assert begun.result(PATIENCE) == 1


@contextmanager
def stopped_inside_its_group(path: Path) -> Iterator[Callable[[], str]]:
    """Another process on the database, stopped by SIGSTOP while it has the lock. Gives a function that lets it go on
    until its end, and returns what it says then."""
    command = [sys.executable, "-c", OTHER_PROCESS, str(path), str(Path(__file__).parent.parent)]
    with Process(command, stdin=subprocess.PIPE) as process:
        assert process.next_line() == "inside its group\n"
        process.send_signal(signal.SIGSTOP)
        assert is_stopped(process.pid)

        def go_on() -> str:
            process.send_signal(signal.SIGCONT)
            return process.communicate("\n", timeout=PATIENCE)[0]

        yield go_on


def test_while_a_stopped_process_has_the_lock_changes_are_withdrawn_after_five_seconds_and_never_made(
    store: SqliteStore, path: Path
) -> None:
    with stopped_inside_its_group(path) as go_on:
        start = monotonic()
        futures = [submit(store, f"withdrawn-{number}") for number in range(3)]
        withdraw_until_completed(store, futures)
        waited = monotonic() - start
        assert {type(future.exception(0)) for future in futures} == {StorageUnavailable}
        assert waited >= 5.0
        after = submit(store, "after")
        assert go_on() == "1\n"
        assert after.result(PATIENCE) == 2
    assert associated(store) == ["other", "after"]
