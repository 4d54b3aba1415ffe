"""The backend interface on an SQLite file."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from frostgate_server.domain.audit_entry import AuditEntry
from frostgate_server.storage.backend import PreparedDatabase, RecoverResult, VerifyResult
from frostgate_server.storage.head import Head

from . import opening
from .admin.audit_log import audit_entries
from .admin.backup import backup
from .admin.exported_heads import current_head
from .admin.recover import recover
from .admin.verify import verify
from .lock_file import DatabaseLock
from .paths import FILE_ENDINGS, key_path
from .store import SqliteStore


class SqliteBackend:
    """An SQLite file, and the files beside it. See `backend.Backend`."""

    file_endings = FILE_ENDINGS

    def __init__(self, path: Path) -> None:
        """Takes the path of the file, which may not exist yet."""
        self._path = path

    @property
    def default_key_file(self) -> Path:
        return key_path(self._path.resolve())

    def ensure_exists(self) -> None:
        opening.ensure_exists(self._path)

    def reserve(self, *, create: bool) -> DatabaseLock:
        return opening.lock_database(self._path, create=create)

    def prepare(self, *, create: bool) -> PreparedDatabase:
        return opening.prepare_store(self._path, create=create)

    def join(self, prepared: PreparedDatabase, around_group: Callable[[], AbstractContextManager[None]]) -> SqliteStore:
        return opening.join_store(_own(prepared), around_group)

    def get_current_head(self, prepared: PreparedDatabase) -> Head:
        return current_head(_own(prepared))

    def list_audit_entries(self, after: int) -> Iterator[AuditEntry]:
        return audit_entries(self._path, after)

    def verify(self, exported: Iterable[Head]) -> VerifyResult:
        return verify(self._path, exported)

    def back_up(self, to: Path) -> int:
        return backup(self._path, to)

    def recover(self) -> RecoverResult:
        return recover(self._path)


def _own(prepared: PreparedDatabase) -> opening.PreparedSqliteDatabase:
    assert isinstance(prepared, opening.PreparedSqliteDatabase), "each backend joins what it prepared"
    return prepared
