"""Changes that come at the same time are committed together: one lock, one transaction and one fsync for all of them.

One thread makes them all, so that the connection and the head file are its own. Each change has a savepoint: one that
is refused leaves no trace and does not disturb the others. No future of a group is completed before the whole group is
on disk, not even that of a refused change, because it may have been refused for an earlier change of its group.

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
"""How long a change waits for its turn, in seconds, until the store counts as busy."""

GROUP_PERIOD = 0.02
"""How long a group takes in those that come while it is made, in seconds: its first change waits no longer for them."""

_NOT_COMMITTED = {"SQLITE_FULL", "SQLITE_BUSY"}
"""Why a COMMIT fails without having done anything."""


@dataclass(frozen=True, slots=True)
class _CompletedWrite:
    """The outcome of a change, which its future gets once the group is on disk."""

    outcome: Future[Any]
    result: Any = None
    refusal: Exception | None = None

    def tell(self) -> None:
        """Completes the future, and runs its callbacks. The future logs a callback that raises."""
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
        """Takes the head file for its own, and a connection more. Each group is made within an `around_group()`.

        No customer that is one of the `suspects` is changed.
        Raises StorageUnavailable if the database is behind the head file, sqlite3.Error, OSError.
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
        """See interface.Store.submit_transaction."""
        return self._add(work).outcome

    def run(self, work: Callable[[Transaction], _Result]) -> _Result:
        """See interface.Store.run_transaction."""
        change = self._add(work)
        try:
            result: _Result = change.outcome.result(WRITE_TIMEOUT)
        except TimeoutError:
            if self._waiting.withdraw(change):
                raise _waited_too_long() from None
            result = change.outcome.result()
        return result

    def withdraw_overdue(self) -> None:
        """See interface.Store.withdraw_overdue."""
        for change in self._waiting.withdraw_all(arrived_until=monotonic() - WRITE_TIMEOUT):
            if change.begin():
                change.outcome.set_exception(_waited_too_long())

    def ensure_writable(self) -> None:
        """Makes a group without changes if the last group failed. Raises StorageUnavailable, OutcomeUnknown."""
        if self._failed:
            self.run(_change_nothing)

    def close(self) -> None:
        """Ends once every change that waits is made, and every change that their callbacks submit."""
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
        """Makes the changes that wait. An error of the whole group is the outcome of each of its changes."""
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
        """Fails the changes that have begun. If the transaction did not begin, the first change that waits fails."""
        if not begun and (first := self._waiting.begin_next()) is not None:
            begun.append(first)
        for change in begun:
            change.outcome.set_exception(error)

    @contextmanager
    def _transaction(self) -> Iterator[SqliteTransaction]:
        """One transaction, alone in the world. Raises StorageUnavailable; whatever is raised within it undoes it."""
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
        """The transaction that has begun: what it reads first shows whether the schema was changed."""
        transaction = SqliteTransaction(self._connection, self._suspects)
        if self._schema.in_doubt:
            self._schema.compare(self._connection)
            transaction = SqliteTransaction(self._connection, self._suspects)
        return transaction

    def _make_waiting(self, begun: list[PendingWrite], transaction: SqliteTransaction) -> list[_CompletedWrite]:
        """Makes the changes that wait, in their order, and those that come meanwhile. Adds each to `begun`."""
        made = []
        end = monotonic() + GROUP_PERIOD
        while (change := self._waiting.begin_next()) is not None:
            begun.append(change)
            made.append(self._make(change, transaction))
            if monotonic() >= end:
                break
        return made

    def _make(self, change: PendingWrite, transaction: SqliteTransaction) -> _CompletedWrite:
        """Makes one change. Raises if it took the whole transaction with it."""
        try:
            with mapped_errors(), transaction.change():
                return _CompletedWrite(change.outcome, change.work(transaction))
        except Exception as refusal:
            if not transaction.intact:
                raise
            return _CompletedWrite(change.outcome, refusal=refusal)

    def _make_durable(self, transaction: SqliteTransaction) -> None:
        """Commits, and writes the head file. Raises OutcomeUnknown: what fails here may have been done."""
        transaction.finish(rewrite=self._failed)
        try:
            self._connection.execute("COMMIT")
            self._head_file.advance(transaction.head)
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorname", "") in _NOT_COMMITTED:
                raise
            raise OutcomeUnknown(str(error)) from error


def _change_nothing(_: Transaction) -> None:
    """A change that leaves all as it is."""


def _waited_too_long() -> StorageUnavailable:
    return StorageUnavailable(f"a change waited {WRITE_TIMEOUT} s for its turn")
