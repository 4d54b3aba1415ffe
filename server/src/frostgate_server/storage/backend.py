"""The backend interface: all that the server and its commands ask of a database besides its Store.

A second database is one package beside `sqlite`, with its Backend, and one row in `backends`. The message of a
StartupError is one line that says what is wrong and what to do next.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from frostgate_server.domain.audit_entry import AuditEntry
from frostgate_server.domain.errors import StartupError

from .check_report import CheckReport
from .head import Head
from .interface import Store
from .stats import DatabaseStats


@dataclass(frozen=True, slots=True)
class PreparedDatabase:
    """A database that was checked, and its revision then. It is pickled: the supervisor gives it to its workers.

    Each backend has a subclass, with the fields that its workers need to join the same database.
    """

    revision: int


class DatabaseInconsistent(StartupError):
    """Names the first inconsistency in a database."""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The contents of a consistent database, its head, and the number of heads that its history was compared with."""

    customers: int
    events: int
    audit_entries: int
    head: Head
    known_heads: int


@dataclass(frozen=True, slots=True)
class RecoverResult:
    """The contents of a recovered or restored database, the last revision of its history, and the one after which it
    continues."""

    customers: int
    events: int
    last_revision: int
    floor: int


@dataclass(frozen=True, slots=True)
class MigrateResult:
    """The names of the migrations that were applied, in order. If there are none, no backup was written."""

    migrations: list[str]


class Reservation(Protocol):
    """Reserves a database for one server. It ends when all processes that have its descriptor closed it, or ended."""

    def fileno(self) -> int:
        """The descriptor of the reservation. A worker inherits it, so that the database stays reserved for it."""

    def close(self) -> None:
        """Closes the descriptor in this process."""


class RecordCheck(Protocol):
    """Checks the record of a database in the background, while it is served. For one thread."""

    def run_pass(self) -> Iterator[int]:
        """Checks the whole record once, and yields the number of rows after each short read.

        What does not fit is logged, and told by `Backend.get_check_report`. Customers who may get a wrong answer by it
        are suspects: every store of the database raises StorageUnavailable for them, until a later pass does not find
        anything wrong with them.

        Raises StorageUnavailable if the pass cannot go on now.
        """

    def close(self) -> None:
        """Closes the database."""


class Backend(Protocol):
    """One database, as the setting `database` names it. It need not exist yet, and is not opened before it is used."""

    @property
    def file_endings(self) -> tuple[str, ...]:
        """The endings of the database's own files, after its path: no other file may be written there.

        Empty if the database has no files of its own.
        """

    @property
    def default_key_file(self) -> Path:
        """The file of the key for verification codes, where no setting names another one. It need not exist."""

    def ensure_exists(self) -> None:
        """Raises StartupError if there is no database: for commands that never make one."""

    def reserve(self, *, create: bool) -> Reservation:
        """Reserves the database for one server, before it is prepared. With `create`, makes the place for a new one.

        Raises StartupError if the database is reserved already, if this user cannot write to it, or if it does not
        exist and `create` is false.
        """

    def is_reserved(self) -> bool:
        """Whether a process has reserved the database. Changes nothing, and never raises."""

    def find_obstacles(self, *, create: bool) -> Iterator[str]:
        """One line for each thing that would keep `reserve` and `prepare` from success, as far as it can be seen.

        Changes nothing on disk. To be asked while the database is not reserved.
        """

    def prepare(self, *, create: bool) -> PreparedDatabase:
        """Migrates the schema, if that reads no rows, and checks the database.

        With `create`, makes a new database if none was ever there.

        Several processes may do this at once, also while the database is served. Raises StartupError if the database
        is missing, damaged, replaced by another one, or without changes that it acknowledged.
        """

    def hold(self, prepared: PreparedDatabase) -> AbstractContextManager[PreparedDatabase]:
        """Keeps the files of a database in use for as long as the block lasts. Gives the database to be joined.

        All processes that join what is given use the same files, also those that join later. A file that is removed
        or replaced meanwhile is noticed: no process joins then, and no change is made. Raises StartupError if the
        database cannot be opened, or was replaced or recovered since it was prepared.
        """

    def join(self, prepared: PreparedDatabase, around_group: Callable[[], AbstractContextManager[None]]) -> Store:
        """Opens a database that was prepared, also while other processes serve it.

        Each group of changes is committed within an `around_group()`. Raises StartupError if the database cannot be
        opened, or was replaced or recovered since it was prepared.
        """

    def open_record_check(self, prepared: PreparedDatabase) -> RecordCheck:
        """Opens a database that was prepared for the background check. Raises StorageUnavailable."""

    def get_check_report(self) -> CheckReport | None:
        """The report of the background check, also while the database is served. None if no pass has run yet."""

    def get_current_head(self, prepared: PreparedDatabase) -> Head:
        """The head that the database acknowledged last, also while it is served.

        Raises OSError if it cannot be read, or was replaced or recovered since it was prepared, and
        DatabaseInconsistent if it is damaged.
        """

    def list_audit_entries(self, after: int) -> Iterator[AuditEntry]:
        """The audit entries with numbers above `after`, in order, also while the database is served.

        The iterator raises StartupError if the database does not exist or cannot be read.
        """

    def verify(self, exported: Iterable[Head]) -> VerifyResult:
        """Checks the database for consistency, and its history against exported heads, also while it is served.

        It writes nothing if no process has the database open: a backup can be verified where it is. Raises
        DatabaseInconsistent for the first inconsistency, and StartupError if the database cannot be read.
        """

    def collect_stats(self) -> DatabaseStats:
        """Statistics of the database, also while it is served. It reads all of it, and writes nothing.

        Raises StartupError if the database does not exist or cannot be read.
        """

    def back_up(self, to: Path) -> int:
        """Copies the database to a new file, also while it is served. Returns the copy's revision.

        The copy is on disk when this returns, and is complete without other files. Raises StartupError if the database
        cannot be read, or the file exists already or cannot be written. It leaves no file that it did not complete.
        """

    def migrate(self, backup: Path) -> MigrateResult:
        """Migrates the schema in one transaction, after it has written a backup to a new file and verified it.

        Reserves the database meanwhile. Raises StartupError if the database is missing, reserved or inconsistent, or if
        the backup cannot be written; the database is then unchanged.
        """

    def restore(self, backup: Path) -> RecoverResult:
        """Makes this database, which must not exist, from a backup, after a full check. The backup is only read.

        Its next revision is far above any that was ever used, as far as the backup and what is left of the database
        before know. Verification codes are deleted. Raises StartupError if something is in the place of the database,
        or if the backup cannot be read or is inconsistent; no database is left then.
        """

    def recover(self) -> RecoverResult:
        """Makes a database usable that was restored from a backup or lost its last changes, after a full check.

        Its next revision is far above any that was ever used, and its verification codes are deleted: they may have
        been used since. Reserves the database meanwhile. Raises StartupError if the database is missing, reserved or
        inconsistent; its history is then unchanged.
        """


@contextmanager
def open_offline(backend: Backend) -> Iterator[Store]:
    """Opens an existing database for one command, and reserves it meanwhile.

    Raises StartupError if there is no database, if it is reserved, or if it cannot be used.
    """
    backend.ensure_exists()
    with (
        closing(backend.reserve(create=False)),
        closing(backend.join(backend.prepare(create=False), nullcontext)) as store,
    ):
        yield store
