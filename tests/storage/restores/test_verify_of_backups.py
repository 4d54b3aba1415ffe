"""`frostgate-server verify` on a backup, or on a database that no process has open, changes no file."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.backend import DatabaseInconsistent
from frostgate_server.storage.sqlite.admin.backup import backup
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.opening import open_store
from frostgate_server.storage.sqlite.reading import opened_to_read
from storage.damage import cut_short, edit, flip_a_page, put_no_frostgate_in_its_place, truncate_to_nothing
from storage.kept_database import Kept
from storage.restores.files import make_read_only, states
from support.calls import Calls
from support.commands_here import output_here, refused_here
from support.recordings.stored_database import STORED, VERSIONS
from support.server_process import ServerProcess
from support.subjects import ServiceSubject


def a_backup(kept: Kept, directory: Path) -> Path:
    backup(kept.path, directory / "backup.db")
    return directory / "backup.db"


def a_stopped_database(kept: Kept, directory: Path) -> Path:
    for ending in ("", "-head"):
        shutil.copy2(f"{kept.path}{ending}", directory)
    return directory / kept.path.name


def a_copy_without_its_head_file(kept: Kept, directory: Path) -> Path:
    return Path(shutil.copy2(kept.path, directory))


def a_released_version(_: Kept, directory: Path) -> Path:
    return Path(shutil.copy2(STORED / VERSIONS[-1] / "frostgate.db", directory))


@pytest.mark.parametrize("make", [a_backup, a_stopped_database, a_copy_without_its_head_file, a_released_version])
def test_verify_changes_no_file_and_makes_none(kept: Kept, tmp_path: Path, make: Callable[[Kept, Path], Path]) -> None:
    directory = tmp_path / "backups"
    directory.mkdir()
    path = make(kept, directory)
    make_read_only(directory)
    before = states(directory)
    assert "is consistent:" in output_here("verify", "--database", str(path))
    assert states(directory) == before


@pytest.mark.parametrize(
    "damage",
    [
        cut_short,
        flip_a_page,
        put_no_frostgate_in_its_place,
        truncate_to_nothing,
        lambda path: edit(path, "UPDATE customers SET freeze_state = 1"),
        lambda path: edit(path, "DELETE FROM partners"),
    ],
)
def test_verify_refuses_a_damaged_backup_and_leaves_it_as_it_is(
    kept: Kept, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = a_backup(kept, tmp_path)
    damage(path)
    before = states(tmp_path)
    assert refused_here("verify", "--database", str(path))
    assert states(tmp_path) == before


def test_verify_holds_a_backup_against_exported_heads(kept: Kept, tmp_path: Path) -> None:
    path = a_backup(kept, tmp_path)
    assert verify(path, kept.exported).known_heads == len(kept.exported)
    with pytest.raises(DatabaseInconsistent, match="it ends at revision"):
        verify(Path(shutil.copy(kept.older, tmp_path)), kept.exported)


def test_verify_reads_what_only_the_write_ahead_log_of_a_crashed_server_holds(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    with ServerProcess(path) as server:
        Calls(server).new_customer()
        server.kill()
    assert path.with_name("frostgate.db-wal").stat().st_size
    assert verify(path).events == 1


def change_while_it_is_read(path: Path) -> None:
    with opened_to_read(path) as connection:
        assert connection.execute("SELECT count(*) FROM head").fetchall() == [(1,)]
        with closing(open_store(path, create=False)) as store:
            ServiceSubject(store).associate("another", "p")


def test_a_database_that_is_changed_while_it_is_read_is_to_be_read_again(kept: Kept, tmp_path: Path) -> None:
    path = a_stopped_database(kept, tmp_path)
    with pytest.raises(StartupError, match="was opened by another process meanwhile: run the command again"):
        change_while_it_is_read(path)
