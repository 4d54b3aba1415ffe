"""The backend interface for an SQLite file."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from frostgate_server.domain.audit_entry import AuditEntry
from frostgate_server.storage.backend import MigrateResult, PreparedDatabase, RecoverResult, VerifyResult
from frostgate_server.storage.check_report import CheckReport
from frostgate_server.storage.head import Head
from frostgate_server.storage.stats import DatabaseStats

from . import opening
from .admin.audit_log import audit_entries
from .admin.backup import backup
from .admin.exported_heads import current_head
from .admin.migrate import migrate_with_backup
from .admin.obstacles import find_obstacles, is_reserved
from .admin.recover import recover
from .admin.restore import restore
from .admin.stats import collect_stats
from .admin.verify import verify
from .files.identities import ServedFiles
from .files.lock_file import DatabaseLock
from .files.paths import FILE_ENDINGS, check_path, key_path
from .integrity.record_check import RecordCheck
from .integrity.report_file import read_report
from .store import SqliteStore


class SqliteBackend:
    """An SQLite file, and the files beside it. Implements `backend.Backend`."""

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

    def is_reserved(self) -> bool:
        return is_reserved(self._path)

    def find_obstacles(self, *, create: bool) -> Iterator[str]:
        return find_obstacles(self._path, create=create)

    def prepare(self, *, create: bool) -> PreparedDatabase:
        return opening.prepare_store(self._path, create=create)

    def hold(self, prepared: PreparedDatabase) -> AbstractContextManager[PreparedDatabase]:
        return opening.hold_files(_own(prepared))

    def join(self, prepared: PreparedDatabase, around_group: Callable[[], AbstractContextManager[None]]) -> SqliteStore:
        return opening.join_store(_own(prepared), around_group)

    def open_record_check(self, prepared: PreparedDatabase) -> RecordCheck:
        own = _own(prepared)
        return RecordCheck(ServedFiles(own.path, own.files), own.schema)

    def get_check_report(self) -> CheckReport | None:
        return read_report(check_path(self._path.resolve()))

    def get_current_head(self, prepared: PreparedDatabase) -> Head:
        return current_head(_own(prepared))

    def list_audit_entries(self, after: int) -> Iterator[AuditEntry]:
        return audit_entries(self._path, after)

    def verify(self, exported: Iterable[Head]) -> VerifyResult:
        return verify(self._path, exported)

    def collect_stats(self) -> DatabaseStats:
        return collect_stats(self._path)

    def back_up(self, to: Path) -> int:
        return backup(self._path, to)

    def migrate(self, backup: Path) -> MigrateResult:
        return migrate_with_backup(self._path, backup)

    def restore(self, backup: Path) -> RecoverResult:
        return restore(backup, self._path)

    def recover(self) -> RecoverResult:
        return recover(self._path)


def _own(prepared: PreparedDatabase) -> opening.PreparedSqliteDatabase:
    assert isinstance(prepared, opening.PreparedSqliteDatabase), "each backend joins what it prepared"
    return prepared
