"""Changes that come at the same time are committed together: one lock, one transaction and one fsync for all of them.

One thread makes them all, so that the connection and the head file are its own. Each change has a savepoint: one that
is refused leaves no trace and does not disturb the others. Nobody is answered before the whole group is on disk, not
even a change that was refused, because it may have been refused for what an earlier one of its group did.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, TypeVar

from frostgate_server.domain.errors import OutcomeUnknown, StorageUnavailable
from frostgate_server.storage.interface import Transaction

from .connections import Connections
from .driver import sqlite3
from .error_mapping import mapped_errors
from .head_file import HeadFile
from .transaction import SqliteTransaction

_Result = TypeVar("_Result")

WRITE_TIMEOUT = 5.0
"""How long a change waits for its turn, in seconds, until the store counts as busy."""

GROUP_PERIOD = 0.02
"""How long a group takes in those that come while it is made, in seconds: its first change waits no longer for them."""

_NOT_COMMITTED = {"SQLITE_FULL", "SQLITE_BUSY"}
"""Why a COMMIT fails without having done anything."""


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """A change that waits for its turn, until `outcome` runs. Whoever cancels `outcome` before has withdrawn it."""

    work: Callable[[Transaction], Any]
    outcome: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _CompletedWrite:
    """What came of a change, to be told once its group is on disk."""

    outcome: Future[Any]
    result: Any = None
    refusal: Exception | None = None

    def tell(self) -> None:
        if self.refusal is None:
            self.outcome.set_result(self.result)
        else:
            self.outcome.set_exception(self.refusal)


class GroupCommit:
    """Makes all changes of a process, group by group. Processes take turns by the lock of the head file."""

    def __init__(
        self, connections: Connections, head_file: HeadFile, around_group: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Takes the head file for its own, and a connection more. Each group is made within an `around_group()`."""
        self._connections = connections
        self._head_file = head_file
        self._around_group = around_group
        self._connection = connections.open()
        self._waiting: SimpleQueue[PendingWrite | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._make_groups, name="group-commit", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[Transaction], _Result]) -> _Result:
        change = PendingWrite(work)
        self._waiting.put(change)
        try:
            result: _Result = change.outcome.result(WRITE_TIMEOUT)
        except TimeoutError:
            if change.outcome.cancel():
                raise StorageUnavailable(f"a change waited {WRITE_TIMEOUT} s for its turn") from None
            result = change.outcome.result()
        return result

    def close(self) -> None:
        """Ends once every change that waits is made."""
        self._waiting.put(None)
        self._thread.join()
        self._head_file.close()

    def _make_groups(self) -> None:
        while (first := self._waiting.get()) is not None:
            with self._around_group():
                self._make_group(first)

    def _make_group(self, first: PendingWrite) -> None:
        """Makes a change and those that wait behind it. Whatever fails the group is told to each of its changes."""
        taken = [first]
        try:
            with self._transaction() as transaction:
                made = self._made(taken, transaction)
                self._make_durable(transaction)
        except Exception as error:  # noqa: BLE001 - whoever waits for an outcome must get one
            _fail(taken, error)
            return
        for one in made:
            one.tell()

    @contextmanager
    def _transaction(self) -> Iterator[SqliteTransaction]:
        """One transaction, alone in the world. Raises StorageUnavailable; whatever is raised within it undoes it."""
        with mapped_errors(), self._head_file.locked():
            self._connections.ensure_same_file()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield SqliteTransaction(self._connection)
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _made(self, taken: list[PendingWrite], transaction: SqliteTransaction) -> list[_CompletedWrite]:
        """Makes the change in `taken`, and in their order those that wait, which it is given."""
        made = []
        end = monotonic() + GROUP_PERIOD
        change: PendingWrite | None = taken[0]
        while change is not None:
            if change.outcome.set_running_or_notify_cancel():
                made.append(self._make(change, transaction))
            change = self._next() if monotonic() < end else None
            if change is not None:
                taken.append(change)
        return made

    def _next(self) -> PendingWrite | None:
        try:
            change = self._waiting.get_nowait()
        except Empty:
            return None
        if change is None:
            self._waiting.put(None)
        return change

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
        transaction.finish()
        try:
            self._connection.execute("COMMIT")
            self._head_file.advance(transaction.head)
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorname", "") in _NOT_COMMITTED:
                raise
            raise OutcomeUnknown(str(error)) from error


def _fail(taken: list[PendingWrite], error: Exception) -> None:
    """Tells all that are not withdrawn."""
    for change in taken:
        if change.outcome.cancelled():
            continue
        if change.outcome.running() or change.outcome.set_running_or_notify_cancel():
            change.outcome.set_exception(error)
