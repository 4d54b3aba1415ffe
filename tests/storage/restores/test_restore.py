"""`frostgate-server restore` makes a new database from a backup, and never touches the backup."""

import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.verification_code import SentCode
from frostgate_server.storage.backend import RecoverResult
from frostgate_server.storage.sqlite.admin.backup import backup
from frostgate_server.storage.sqlite.admin.recover import recover
from frostgate_server.storage.sqlite.admin.restore import restore
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.head_file import REVISION_JUMP
from frostgate_server.storage.sqlite.opening import lock_database, open_store
from storage.damage import cut_short, edit, flip_a_page, put_no_frostgate_in_its_place, truncate_to_nothing
from storage.restores.files import make_read_only, states
from support.calls import Calls
from support.commands_here import refused_here
from support.processes import output
from support.recordings.stored_database import STORED, VERSIONS
from support.server_process import COMMAND, ServerProcess
from support.subjects import ServiceSubject


@pytest.fixture
def saved(path: Path, tmp_path: Path) -> Path:
    """A backup of a database with three customers, alone in a directory that cannot be written to."""
    directory = tmp_path / "backups"
    directory.mkdir()
    backup(path, directory / "backup.db")
    make_read_only(directory)
    return directory / "backup.db"


def move_aside(path: Path) -> None:
    """What the operator's page says: the head file stays."""
    path.rename(path.with_name("aside.db"))


def associate(path: Path, customer_id: str) -> int:
    with closing(open_store(path, create=False)) as store:
        return ServiceSubject(store).associate(customer_id, "p")


def recorded(path: Path) -> list[tuple[object, ...]]:
    """The restores without their times."""
    with closing(connect(path)) as connection:
        rows: list[tuple[object, ...]] = connection.execute(
            "SELECT number, command, last_revision, floor FROM restores ORDER BY number"
        ).fetchall()
    return rows


def test_a_restored_database_is_served_and_the_backup_is_as_before(saved: Path, tmp_path: Path) -> None:
    before, new = states(saved.parent), tmp_path / "new" / "place" / "frostgate.db"
    said = output(*COMMAND, "restore", "--database", str(new), str(saved))
    assert said == f"{new} contains 3 customers and 3 events up to revision 3, and continues from revision 1000000003\n"
    assert states(saved.parent) == before
    with ServerProcess(new) as server:
        calls = Calls(server)
        assert calls.get("a").customer.revision == 1
        assert calls.unfreeze(customer_id="a").revision == 4 + REVISION_JUMP
        assert server.stop() == 0
    assert verify(new).known_heads == 1
    assert new.stat().st_mode & 0o777 == 0o600
    assert not [file.name for file in new.parent.iterdir() if "-new" in file.name]
    assert states(saved.parent) == before


def test_two_restores_in_a_row_keep_both_gaps(saved: Path, path: Path, tmp_path: Path) -> None:
    move_aside(path)
    first = restore(saved, path)
    assert associate(path, "d") == first.floor + 1
    second_backup = tmp_path / "second.db"
    backup(path, second_backup)
    associate(path, "e")
    move_aside(path)
    second = restore(second_backup, path)
    assert recorded(path) == [
        (1, "restore", 3, 3 + REVISION_JUMP),
        (2, "restore", 4 + REVISION_JUMP, 5 + 2 * REVISION_JUMP),
    ]
    assert (second.last_revision, second.floor) == (4 + REVISION_JUMP, 5 + 2 * REVISION_JUMP)
    assert associate(path, "f") == second.floor + 1
    verify(path)


def test_one_backup_restored_twice_uses_no_revision_twice(saved: Path, path: Path) -> None:
    floors = []
    for _ in range(2):
        move_aside(path)
        floors.append(restore(saved, path).floor)
        assert associate(path, "d") == floors[-1] + 1
    assert floors[1] == floors[0] + 1 + REVISION_JUMP
    assert recorded(path) == [(1, "restore", 3, floors[1])]


def test_recover_records_its_jump_too_and_keeps_the_one_before(saved: Path, path: Path) -> None:
    move_aside(path)
    restore(saved, path)
    path.with_name("frostgate.db-head").unlink()
    recovered = recover(path)
    assert recovered == RecoverResult(3, 3, 3 + REVISION_JUMP, 3 + 2 * REVISION_JUMP)
    assert recorded(path) == [
        (1, "restore", 3, 3 + REVISION_JUMP),
        (2, "recover", 3 + REVISION_JUMP, 3 + 2 * REVISION_JUMP),
    ]


def test_a_restore_without_the_old_head_file_goes_on_from_the_backup(saved: Path, tmp_path: Path) -> None:
    assert restore(saved, tmp_path / "elsewhere.db").floor == 3 + REVISION_JUMP


def test_the_time_of_a_restore_is_recorded(saved: Path, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    restore(saved, tmp_path / "new.db")
    with closing(connect(tmp_path / "new.db")) as connection:
        ((time,),) = connection.execute("SELECT restore_time FROM restores").fetchall()
    assert before.timestamp() * 10**6 <= time + 1
    assert time <= datetime.now(UTC).timestamp() * 10**6


@pytest.mark.parametrize(
    "edits",
    [
        "UPDATE restores SET floor = floor + 1",
        "DELETE FROM restores",
        "INSERT INTO restores VALUES (1, 'restore', 3000000000, 4000000000, 0)",
        "INSERT OR REPLACE INTO restores VALUES (1, 'restore', 3000000000, 4000000000, 0)",
        "INSERT INTO restores VALUES (3, 'restore', 3000000000, 4000000000, 0)",
        "INSERT INTO restores VALUES (2, 'restore', 1000000002, 4000000000, 0)",
        "INSERT INTO restores VALUES (2, 'restore', 3000000000, 3000000000, 0)",
        "INSERT INTO restores VALUES (2, 'another', 3000000000, 4000000000, 0)",
    ],
)
def test_restores_are_append_only(saved: Path, tmp_path: Path, edits: str) -> None:
    restore(saved, tmp_path / "new.db")
    before = recorded(tmp_path / "new.db")
    with pytest.raises(sqlite3.IntegrityError):
        edit(tmp_path / "new.db", edits)
    assert recorded(tmp_path / "new.db") == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut_short, "is inconsistent"),
        (flip_a_page, "is inconsistent"),
        (truncate_to_nothing, "is not a frostgate database"),
        (put_no_frostgate_in_its_place, "is not a frostgate database"),
        (Path.unlink, "does not exist"),
        (lambda path: edit(path, "UPDATE customers SET freeze_state = 1"), "is inconsistent"),
        (lambda path: edit(path, "CREATE TABLE other (x)"), "is inconsistent"),
    ],
)
def test_a_damaged_backup_is_refused_and_nothing_is_left(
    saved: Path, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    new = tmp_path / "new"
    new.mkdir()
    damaged = Path(shutil.copy(saved, tmp_path / "damaged.db"))
    damaged.chmod(0o600)
    damage(damaged)
    assert said in refused_here("restore", "--database", str(new / "frostgate.db"), str(damaged))
    assert {file.name for file in new.iterdir()} <= {"frostgate.db-lock", "frostgate.db-head"}
    assert not any(head.stat().st_size for head in new.glob("*-head"))


def test_a_restore_takes_no_others_place(saved: Path, path: Path) -> None:
    before = states(path.parent)
    with pytest.raises(StartupError, match=r"frostgate\.db exists already: name a new database"):
        restore(saved, path)
    assert states(path.parent) == before
    move_aside(path)
    for ending in ("-wal", "-shm", "-journal"):
        left = path.with_name(path.name + ending)
        left.write_bytes(b"of the database before")
        with pytest.raises(StartupError, match=f"frostgate.db{ending} exists already"):
            restore(saved, path)
        left.unlink()
    claim = lock_database(path, create=True)
    with pytest.raises(StartupError, match="is in use by process"):
        restore(saved, path)
    claim.close()
    assert not path.exists()


def test_a_copy_whose_changes_are_in_its_write_ahead_log_is_no_backup(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with closing(open_store(path, create=False)) as store:
        ServiceSubject(store).associate("d", "p")
        for ending in ("", "-wal"):
            shutil.copy(f"{path}{ending}", f"{copy}{ending}")
    with pytest.raises(StartupError, match=r"is not a backup, because changes are in copy\.db-wal beside it"):
        restore(copy, tmp_path / "new.db")


def test_a_backup_of_a_released_version_is_restored_and_migrated(tmp_path: Path) -> None:
    old = STORED / VERSIONS[0] / "frostgate.db"
    before = old.read_bytes()
    restored = restore(old, tmp_path / "new.db")
    assert recorded(tmp_path / "new.db") == [(1, "restore", restored.last_revision, restored.floor)]
    assert verify(tmp_path / "new.db").events == restored.events
    assert old.read_bytes() == before


def test_a_restore_leaves_no_code_that_may_have_been_used_since(tmp_path: Path) -> None:
    path, saved, new = tmp_path / "frostgate.db", tmp_path / "backup.db", tmp_path / "new.db"
    with closing(open_store(path, create=True)) as store:
        store.run_transaction(lambda transaction: transaction.save_code("p", SentCode("1", "d", datetime.now(UTC))))
    backup(path, saved)
    restore(saved, new)
    with closing(open_store(new, create=False)) as store:
        assert store.run_transaction(lambda transaction: transaction.get_code("p")) is None
