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

from .head import Head
from .interface import Store


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
    """The contents of a recovered database, the last revision of its history, and the one that it continues from."""

    customers: int
    events: int
    last_revision: int
    floor: int


class Reservation(Protocol):
    """Reserves a database for one server. It ends when all processes that have its descriptor closed it, or ended."""

    def fileno(self) -> int:
        """The descriptor of the reservation. A worker inherits it, so that the database stays reserved for it."""

    def close(self) -> None:
        """Closes the descriptor in this process."""


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

    def prepare(self, *, create: bool) -> PreparedDatabase:
        """Migrates the schema and checks the database. With `create`, makes a new database if none was ever there.

        Several processes may do this at once, also while the database is served. Raises StartupError if the database
        is missing, damaged, replaced by another one, or without changes that it acknowledged.
        """

    def join(self, prepared: PreparedDatabase, around_group: Callable[[], AbstractContextManager[None]]) -> Store:
        """Opens a database that was prepared, also while other processes serve it.

        Each group of changes is committed within an `around_group()`. Raises StartupError if the database cannot be
        opened, or was replaced or recovered since it was prepared.
        """

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

        Raises DatabaseInconsistent for the first inconsistency, and StartupError if the database cannot be read.
        """

    def back_up(self, to: Path) -> int:
        """Copies the database to a new file, also while it is served. Returns the copy's revision.

        The copy is on disk when this returns, and is complete without other files. Raises StartupError if the database
        cannot be read, or the file exists already or cannot be written. It leaves no file that it did not complete.
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
