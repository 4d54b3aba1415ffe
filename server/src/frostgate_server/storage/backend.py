"""The backend interface: everything that the server and its commands need from a database besides its Store.

To add a second database, add a package beside `sqlite` with its Backend, and one row in `backends`. The message of a
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
    """A checked database, and its revision at that time. The supervisor pickles it and sends it to its workers.

    Each backend has a subclass, with the fields that its workers need to join the same database.
    """

    revision: int


class DatabaseInconsistent(StartupError):
    """The database is inconsistent. The message names the first inconsistency."""


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
    """The contents of a recovered or restored database, and the last revision of its history.

    The next revision is `floor` + 1.
    """

    customers: int
    events: int
    last_revision: int
    floor: int


@dataclass(frozen=True, slots=True)
class MigrateResult:
    """The names of the applied migrations, in order. If the list is empty, no backup was written."""

    migrations: list[str]


class Reservation(Protocol):
    """Reserves a database for one server. It ends when every process with its descriptor has closed it or ended."""

    def fileno(self) -> int:
        """The descriptor of the reservation. A worker that inherits it keeps the database reserved."""

    def close(self) -> None:
        """Closes the descriptor in this process."""


class RecordCheck(Protocol):
    """Checks a database for consistency in the background, while it is served. For one thread."""

    def run_pass(self) -> Iterator[int]:
        """Checks the whole database once, and yields the number of rows after each short read.

        Inconsistencies are logged, and `Backend.get_check_report` returns them. A customer whose answers may be wrong
        becomes a suspect: every store of the database raises StorageUnavailable for this customer, until a later pass
        finds no inconsistency for it.

        Raises StorageUnavailable if the pass cannot continue now.
        """

    def close(self) -> None:
        """Closes the database."""


class Backend(Protocol):
    """The database that the setting `database` names. It need not exist yet, and is opened only when it is used."""

    @property
    def file_endings(self) -> tuple[str, ...]:
        """The suffixes of the database's own files, after its path. No other file may have one of these names.

        Empty if the database has no files of its own.
        """

    @property
    def default_key_file(self) -> Path:
        """The default path of the key for verification codes, which a setting can change. The file need not exist."""

    def ensure_exists(self) -> None:
        """Raises StartupError if there is no database. For commands that never create one."""

    def reserve(self, *, create: bool) -> Reservation:
        """Reserves the database for one server, before it is prepared. With `create`, prepares a place for a new one.

        Raises StartupError if the database is reserved already, if this user cannot write to it, or if it does not
        exist and `create` is false.
        """

    def is_reserved(self) -> bool:
        """Whether a process has reserved the database. Changes nothing, and never raises."""

    def find_obstacles(self, *, create: bool) -> Iterator[str]:
        """One line for each problem that would make `reserve` or `prepare` fail, as far as it can be detected.

        Changes nothing on disk. Call it while the database is not reserved.
        """

    def prepare(self, *, create: bool) -> PreparedDatabase:
        """Migrates the schema, if that reads no rows, and checks the database.

        With `create`, creates a new database if none ever existed here.

        Several processes may do this at once, also while the database is served. Raises StartupError if the database
        is missing, damaged, replaced by another one, or lacks changes that it acknowledged.
        """

    def hold(self, prepared: PreparedDatabase) -> AbstractContextManager[PreparedDatabase]:
        """Keeps the files of a database open during the block. Yields the database that processes can join.

        All processes that join this database use the same files, also those that join later. If a file is removed or
        replaced meanwhile, no process can join, and changes fail. Raises StartupError if the database cannot be
        opened, or was replaced or recovered since it was prepared.
        """

    def join(self, prepared: PreparedDatabase, around_group: Callable[[], AbstractContextManager[None]]) -> Store:
        """Opens a prepared database, also while other processes serve it.

        Each group of changes is committed within an `around_group()`. Raises StartupError if the database cannot be
        opened, or was replaced or recovered since it was prepared.
        """

    def open_record_check(self, prepared: PreparedDatabase) -> RecordCheck:
        """Opens a prepared database for the background check. Raises StorageUnavailable."""

    def get_check_report(self) -> CheckReport | None:
        """The report of the background check, also while the database is served. None if no pass has run yet."""

    def get_current_head(self, prepared: PreparedDatabase) -> Head:
        """The last acknowledged head of the database, also while it is served.

        Raises OSError if it cannot be read, or was replaced or recovered since it was prepared, and
        DatabaseInconsistent if it is damaged.
        """

    def list_audit_entries(self, after: int) -> Iterator[AuditEntry]:
        """The audit entries with numbers above `after`, in order, also while the database is served.

        The iterator raises StartupError if the database does not exist or cannot be read.
        """

    def verify(self, exported: Iterable[Head]) -> VerifyResult:
        """Checks the database for consistency, and its history against exported heads, also while it is served.

        It writes nothing if no process has the database open, so a backup can be verified in place. Raises
        DatabaseInconsistent for the first inconsistency, and StartupError if the database cannot be read.
        """

    def collect_stats(self) -> DatabaseStats:
        """Statistics of the database, also while it is served. Reads the whole database, and writes nothing.

        Raises StartupError if the database does not exist or cannot be read.
        """

    def back_up(self, to: Path) -> int:
        """Copies the database to a new file, also while it is served. Returns the copy's revision.

        The copy is on disk (fsync) when this returns, and is complete without other files. Raises StartupError if the
        database cannot be read, or if the file exists already or cannot be written. An incomplete copy is removed.
        """

    def migrate(self, backup: Path) -> MigrateResult:
        """Writes a backup to a new file, verifies it, and then migrates the schema in one transaction.

        Reserves the database meanwhile. Raises StartupError if the database is missing, reserved or inconsistent, or if
        the backup cannot be written; the database is then unchanged.
        """

    def restore(self, backup: Path) -> RecoverResult:
        """Creates this database, which must not exist, from a backup, after a full check. The backup is only read.

        The next revision is far above every revision in the backup and in the remaining head file of the previous
        database. Verification codes are deleted. Raises StartupError if a file of the database exists already, or if
        the backup cannot be read or is inconsistent; no database is left then.
        """

    def recover(self) -> RecoverResult:
        """Makes a database usable again after a full check. For one that was copied back, or lost its last changes.

        The next revision is far above every revision in the database and in its head file. Verification codes are
        deleted, as they may have been used since. Reserves the database meanwhile. Raises StartupError if the database
        is missing, reserved or inconsistent; its history is then unchanged.
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
