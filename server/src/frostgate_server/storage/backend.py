"""The backend interface: all that the server and its commands ask of a database besides its Store.

A second database is one package beside `sqlite`, with its Backend, and one row in `backends`. Every method may raise
StartupError, whose message is one line that says what is wrong and what to do next.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from frostgate_server.domain.audit_entry import AuditEntry
from frostgate_server.domain.errors import StartupError

from .head import Head
from .interface import Store


@dataclass(frozen=True, slots=True)
class PreparedDatabase:
    """A database that was found sound at a revision. It is pickled: the supervisor gives it to its workers.

    A backend adds what its workers need to join the very same database.
    """

    revision: int


class DatabaseInconsistent(StartupError):
    """The first thing in a database that does not fit the rest."""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What a database was found to hold, and where its history stands."""

    customers: int
    events: int
    audit_entries: int
    head: Head
    known_heads: int


@dataclass(frozen=True, slots=True)
class RecoverResult:
    """What a database holds, the last revision of its history, and the one from which it goes on."""

    customers: int
    events: int
    last_revision: int
    floor: int


class Reservation(Protocol):
    """The claim of one server on a database, until it is closed."""

    def fileno(self) -> int:
        """The open file that is the claim: a process that inherits it keeps the claim too."""

    def close(self) -> None:
        """Lets others serve the database, once no process that inherited the claim is left."""


class Backend(Protocol):
    """One database, as the setting `database` names it."""

    @property
    def file_endings(self) -> tuple[str, ...]:
        """The endings, behind the database's path, of the files that belong to it; none if it is no file."""

    @property
    def default_key_file(self) -> Path:
        """The file of the key for verification codes, where no setting names another one."""

    def ensure_exists(self) -> None:
        """Raises StartupError if there is no database: for commands that never make one."""

    def reserve(self, *, create: bool) -> Reservation:
        """Claims the database for one server, before it is opened. With `create`, its place is made if need be."""

    def prepare(self, *, create: bool) -> PreparedDatabase:
        """Brings the schema up to date and checks the database. With `create`, makes a new one if there is none."""

    def join(self, prepared: PreparedDatabase, around_group: Callable[[], AbstractContextManager[None]]) -> Store:
        """Opens a prepared database, also while other processes serve it. Groups of changes are committed within an
        `around_group()`."""

    def get_current_head(self, prepared: PreparedDatabase) -> Head:
        """The head that the served database acknowledged last. Raises OSError if it was replaced."""

    def list_audit_entries(self, after: int) -> Iterator[AuditEntry]:
        """The audit entries numbered higher than `after`, in order, also while the database is served."""

    def verify(self, exported: Iterable[Head]) -> VerifyResult:
        """Checks the database for consistency, and against heads that were exported. Raises DatabaseInconsistent."""

    def back_up(self, to: Path) -> int:
        """Copies the database to a new file while it is served. Gives the copy's revision."""

    def recover(self) -> RecoverResult:
        """Takes up a database that was restored or lost its tail. Its revisions jump ahead."""
