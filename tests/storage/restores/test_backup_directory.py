"""The directory of scheduled backups: what it holds is verified, and nothing else has the name of a backup."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.backend import DatabaseInconsistent
from frostgate_server.storage.backup_directory import BackupDirectory, StoredBackup
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.backend import SqliteBackend
from frostgate_server.storage.sqlite.opening import open_store
from storage.damage import edit
from support.subjects import ServiceSubject

NOW = datetime(2026, 11, 27, 16, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def backups(tmp_path: Path) -> BackupDirectory:
    directory = tmp_path / "backups"
    directory.mkdir()
    return BackupDirectory(directory)


def names(backups: BackupDirectory) -> list[str]:
    return sorted(file.name for file in backups.directory.iterdir())


def put(backups: BackupDirectory, *made: StoredBackup) -> None:
    for one in made:
        (backups.directory / one.name).touch()


def test_a_backup_has_its_time_and_its_revision_in_its_name(path: Path, backups: BackupDirectory) -> None:
    made = backups.make(SqliteBackend(path), NOW.replace(microsecond=7))
    assert names(backups) == ["frostgate-20261127T160000Z-rev3.db"]
    assert backups.find_newest() == made == StoredBackup(NOW, 3)
    file = backups.directory / made.name
    assert file.stat().st_mode & 0o777 == 0o600
    assert verify(file).head.revision == 3


def test_a_backup_contains_what_a_server_changed_last(path: Path, backups: BackupDirectory) -> None:
    with closing(open_store(path, create=False)) as store:
        ServiceSubject(store).associate("d", "p")
        assert backups.make(SqliteBackend(path), NOW).revision == 4


def test_an_inconsistent_database_makes_no_backup_and_keeps_the_earlier_ones(
    path: Path, backups: BackupDirectory
) -> None:
    made = backups.make(SqliteBackend(path), NOW)
    edit(path, "UPDATE customers SET partner_id = 'q' WHERE customer_id = 'b'")
    with pytest.raises(DatabaseInconsistent, match="customer"):
        backups.make(SqliteBackend(path), NOW + DAY)
    assert names(backups) == [made.name]


def test_a_missing_directory_is_not_created(path: Path, tmp_path: Path) -> None:
    backups = BackupDirectory(tmp_path / "none")
    with pytest.raises(StartupError, match=r"none/frostgate-incomplete\.db"):
        backups.make(SqliteBackend(path), NOW)
    with pytest.raises(FileNotFoundError):
        backups.get_time_to_next(DAY, NOW)
    assert not backups.directory.exists()


def test_what_a_killed_run_left_is_removed_and_other_files_stay(path: Path, backups: BackupDirectory) -> None:
    for name in ("frostgate-incomplete.db", "frostgate-incomplete.db-journal", "frostgate-2026-11-27.db", "notes"):
        (backups.directory / name).write_text("x")
    made = backups.make(SqliteBackend(path), NOW)
    backups.delete_old(1, made)
    assert names(backups) == ["frostgate-2026-11-27.db", made.name, "notes"]


def test_the_schedule_goes_on_from_the_newest_backup(backups: BackupDirectory) -> None:
    assert backups.get_time_to_next(DAY, NOW) == timedelta(0)
    put(backups, StoredBackup(NOW - 3 * DAY, 1), StoredBackup(NOW - timedelta(hours=23), 2))
    assert backups.get_time_to_next(DAY, NOW) == timedelta(hours=1)
    assert backups.get_time_to_next(DAY, NOW + DAY) == timedelta(0)


def test_a_backup_from_the_future_does_not_stop_the_schedule(backups: BackupDirectory) -> None:
    put(backups, StoredBackup(NOW + 400 * DAY, 9))
    assert backups.get_time_to_next(DAY, NOW) == timedelta(0)
    put(backups, StoredBackup(NOW, 10))
    assert backups.get_time_to_next(DAY, NOW) == DAY


def test_the_newest_backups_are_kept_and_the_last_one_in_any_case(backups: BackupDirectory) -> None:
    old, *newer = (StoredBackup(NOW + number * DAY, number) for number in range(4))
    put(backups, old, *newer)
    backups.delete_old(3, newer[-1])
    assert backups.list() == newer[::-1]
    # The clock was set back.
    put(backups, old)
    backups.delete_old(2, old)
    assert backups.list() == [newer[-1], old]


def test_names_sort_by_time_and_others_are_no_backups(backups: BackupDirectory) -> None:
    made = [StoredBackup(NOW + timedelta(days=40 * number), 10**number) for number in range(12)]
    put(backups, *made)
    (backups.directory / "frostgate-20269999T000000Z-rev1.db").touch()
    (backups.directory / "frostgate-20261127T160000Z-rev1.db-wal").touch()
    assert backups.list() == made[::-1]
    assert sorted(one.name for one in made) == [one.name for one in made]
