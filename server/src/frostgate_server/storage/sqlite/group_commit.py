"""Group commit: changes that arrive at the same time share one lock, one transaction and one fsync.

One thread makes all changes of a process. Only this thread uses the connection and the head file. Each change has a
savepoint, so that a refused change is undone without an effect on the others. Futures are completed after the whole
group is on disk. This includes the futures of refused changes, because an earlier change of the group may be the reason
for the refusal.

A change begins when the group has the lock and its transaction. Until then it waits in the queue and can be withdrawn,
also while another process holds the lock.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Any, TypeVar

from frostgate_server.domain.errors import OutcomeUnknown, StorageUnavailable
from frostgate_server.storage.interface import Transaction

from .connections import Connections
from .driver import sqlite3
from .error_mapping import mapped_errors
from .files.head_file import HeadFile
from .integrity.history import ensure_contains
from .integrity.report_file import Suspects
from .transaction import SqliteTransaction, count_frames, read_head
from .write_queue import PendingWrite, WriteQueue

_Result = TypeVar("_Result")

WRITE_TIMEOUT = 5.0
"""Seconds that a change may wait for its turn. Then it fails."""

GROUP_PERIOD = 0.02
"""Seconds during which a group accepts arriving changes while it is made. It limits the delay of the first change."""

_NOT_COMMITTED = {"SQLITE_FULL", "SQLITE_BUSY"}
"""Errors of a COMMIT that had no effect."""


@dataclass(frozen=True, slots=True)
class _CompletedWrite:
    """The outcome of a change. Its future gets it once the group is on disk."""

    outcome: Future[Any]
    result: Any = None
    refusal: Exception | None = None

    def tell(self) -> None:
        """Completes the future, and runs its callbacks. The future logs exceptions of callbacks."""
        if self.refusal is None:
            self.outcome.set_result(self.result)
        else:
            self.outcome.set_exception(self.refusal)


class GroupCommit:
    """Makes all changes of a process, group by group. Processes take turns by the lock of the head file."""

    def __init__(
        self,
        connections: Connections,
        head_file: HeadFile,
        suspects: Suspects,
        around_group: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Owns the head file, and opens one more connection. Each group is made within an `around_group()`.

        Changes of customers that are `suspects` fail. Raises StorageUnavailable if the database is behind the head
        file, sqlite3.Error, OSError.
        """
        self._suspects = suspects
        self._connections = connections
        self._head_file = head_file
        self._around_group = around_group
        self._connection = connections.open()
        self._schema = connections.watch_schema(self._connection)
        ensure_contains(read_head(self._connection), head_file.head)
        self._waiting = WriteQueue()
        self._failed = False
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._make_groups, name="group-commit", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Transaction], _Result]) -> Future[_Result]:
        """Implements interface.Store.submit_transaction."""
        return self._add(work).outcome

    def run(self, work: Callable[[Transaction], _Result]) -> _Result:
        """Implements interface.Store.run_transaction."""
        change = self._add(work)
        try:
            result: _Result = change.outcome.result(WRITE_TIMEOUT)
        except TimeoutError:
            if self._waiting.withdraw(change):
                raise _waited_too_long() from None
            result = change.outcome.result()
        return result

    def withdraw_overdue(self) -> None:
        """Implements interface.Store.withdraw_overdue."""
        for change in self._waiting.withdraw_all(arrived_until=monotonic() - WRITE_TIMEOUT):
            if change.begin():
                change.outcome.set_exception(_waited_too_long())

    def ensure_writable(self) -> None:
        """Commits an empty group if the last group failed. Raises StorageUnavailable, OutcomeUnknown."""
        if self._failed:
            self.run(_change_nothing)

    def close(self) -> None:
        """Returns after all waiting changes, and all changes that their callbacks submit, are made."""
        self._wake.put(False)
        self._thread.join()
        self._head_file.close()

    def _add(self, work: Callable[[Transaction], Any]) -> PendingWrite:
        """Queues a change, and wakes the commit thread if it may be waiting for one."""
        change = PendingWrite(work)
        if self._waiting.add(change):
            self._wake.put(True)
        return change

    def _make_groups(self) -> None:
        is_open = True
        while is_open:
            is_open = self._wake.get()
            while self._waiting:
                with self._around_group():
                    self._make_group()

    def _make_group(self) -> None:
        """Makes the waiting changes. An error of the whole group is the outcome of each of its changes."""
        begun: list[PendingWrite] = []
        try:
            with self._transaction() as transaction:
                made = self._make_waiting(begun, transaction)
                self._make_durable(transaction)
        except Exception as error:  # noqa: BLE001 - every change that has begun must get an outcome
            self._failed = True
            self._fail(begun, error)
            return
        self._failed = False
        for one in made:
            one.tell()

    def _fail(self, begun: list[PendingWrite], error: Exception) -> None:
        """Fails the changes that have begun. If the transaction did not begin, the first waiting change fails."""
        if not begun and (first := self._waiting.begin_next()) is not None:
            begun.append(first)
        for change in begun:
            change.outcome.set_exception(error)

    @contextmanager
    def _transaction(self) -> Iterator[SqliteTransaction]:
        """One exclusive transaction. Raises StorageUnavailable. An exception within the block rolls it back."""
        with mapped_errors(), self._head_file.locked():
            self._connections.ensure_same_files(count_frames(self._connection))
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                transaction = self._begun()
                ensure_contains(transaction.head, self._head_file.head)
                yield transaction
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _begun(self) -> SqliteTransaction:
        """Wraps the begun transaction. Its first read shows whether the schema must be compared again."""
        transaction = SqliteTransaction(self._connection, self._suspects)
        if self._schema.in_doubt:
            self._schema.compare(self._connection)
            transaction = SqliteTransaction(self._connection, self._suspects)
        return transaction

    def _make_waiting(self, begun: list[PendingWrite], transaction: SqliteTransaction) -> list[_CompletedWrite]:
        """Makes the waiting changes, in their order, and those that arrive meanwhile. Adds each to `begun`."""
        made = []
        end = monotonic() + GROUP_PERIOD
        while (change := self._waiting.begin_next()) is not None:
            begun.append(change)
            made.append(self._make(change, transaction))
            if monotonic() >= end:
                break
        return made

    def _make(self, change: PendingWrite, transaction: SqliteTransaction) -> _CompletedWrite:
        """Makes one change. Raises if its failure makes the whole transaction fail."""
        try:
            with mapped_errors(), transaction.change():
                return _CompletedWrite(change.outcome, change.work(transaction))
        except Exception as refusal:
            if not transaction.intact:
                raise
            return _CompletedWrite(change.outcome, refusal=refusal)

    def _make_durable(self, transaction: SqliteTransaction) -> None:
        """Commits, and writes the head file. Raises OutcomeUnknown if the group may be committed despite the error."""
        transaction.finish(rewrite=self._failed)
        try:
            self._connection.execute("COMMIT")
            self._head_file.advance(transaction.head)
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorname", "") in _NOT_COMMITTED:
                raise
            raise OutcomeUnknown(str(error)) from error


def _change_nothing(_: Transaction) -> None:
    """A change without an effect."""


def _waited_too_long() -> StorageUnavailable:
    return StorageUnavailable(f"a change waited {WRITE_TIMEOUT} s for its turn")
