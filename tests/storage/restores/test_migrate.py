"""Migrations: those that read no rows are made by `serve`, all others by `frostgate-server migrate`."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.storage.sqlite.admin.restore import restore
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.opening import lock_database, open_store
from storage.damage import edit, flip_a_page
from storage.restores.files import states
from support.calls import Calls
from support.commands_here import output_here, refused_here
from support.processes import output, run
from support.recordings.stored_database import STORED, VERSIONS, StoredDatabase
from support.server_process import COMMAND, ServerProcess, refused_start

READING = Path(__file__).parent.parent.parent / "support" / "reading_migration"
NEWER = {"PYTHONPATH": str(READING)}
"""Makes a server of a later version, which has a migration that reads rows."""


def everything(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The schema of a database and all rows of its tables."""
    with closing(connect(path)) as connection:
        schema = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").fetchall()
        found = {"schema": schema}
        for kind, name, _ in schema:
            if kind == "table":
                found[name] = connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
    return found


def migrate(path: Path, backup: Path) -> list[str]:
    return ["migrate", "--database", str(path), "--backup", str(backup)]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The database of the first version, alone in a directory."""
    (tmp_path / "old").mkdir()
    return StoredDatabase(STORED / VERSIONS[0], tmp_path / "old").path


def test_a_database_of_an_earlier_version_is_migrated_after_a_backup(old: Path, tmp_path: Path) -> None:
    before, backup = everything(old), tmp_path / "backup.db"
    said = output(*COMMAND, *migrate(old, backup))
    assert said == f"{backup} is a backup of {old}, and {old} is migrated: bounds_and_restores\n"
    after = everything(old)
    changed = {"schema", "_sqlite_migrations", "kept_answers", "restores"}
    assert {name: rows for name, rows in after.items() if name not in changed} == {
        name: rows for name, rows in before.items() if name not in changed
    }
    assert (after["kept_answers"], after["restores"]) == ([], [])
    assert verify(old).events == verify(backup).events


def test_the_backup_of_a_migration_is_what_the_earlier_version_made(old: Path, tmp_path: Path) -> None:
    before, backup = everything(old), tmp_path / "backup.db"
    output_here(*migrate(old, backup))
    assert everything(backup) == before


def test_serve_makes_a_migration_that_reads_no_rows_by_itself(old: Path) -> None:
    before = verify(old)
    with ServerProcess(old) as server:
        assert Calls(server).new_customer()
        assert server.stop() == 0
    assert {"kept_answers", "restores"} <= everything(old).keys()
    assert verify(old).events == before.events + 1


def test_a_database_that_is_up_to_date_is_left_alone(path: Path, tmp_path: Path) -> None:
    before, backup = everything(path), tmp_path / "backup.db"
    assert output_here(*migrate(path, backup)) == f"{path} is up to date, and {backup} was not written\n"
    assert everything(path) == before
    assert not backup.exists()


def test_serve_names_the_command_for_a_migration_that_reads_rows(path: Path, tmp_path: Path) -> None:
    before, backup = everything(path), tmp_path / "backup.db"
    for command in (["serve"], ["recover"], ["disable-codes", "--partner", "p"]):
        assert "the database must be migrated first (counts_of_partners): stop its server and run " in refused_start(
            *command, "--database", str(path), variables=NEWER
        )
    assert everything(path) == before
    said = output(*COMMAND, *migrate(path, backup), variables=NEWER)
    assert said.endswith("is migrated: counts_of_partners\n")
    assert everything(path)["counts_of_partners"] == [("p", 3)]
    assert everything(backup) == before
    with ServerProcess(path, variables=NEWER) as server:
        assert Calls(server).get("a").customer.partner_id == "p"
        assert server.stop() == 0
    assert "was made by a newer frostgate (counts_of_partners)" in refused_start("serve", "--database", str(path))


def test_a_new_database_needs_no_command(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", variables=NEWER) as server:
        assert Calls(server).new_customer()
        assert server.stop() == 0


def test_the_way_back_is_the_backup_with_the_earlier_version(path: Path, tmp_path: Path) -> None:
    backup, again = tmp_path / "backup.db", tmp_path / "again.db"
    output(*COMMAND, *migrate(path, backup), variables=NEWER)
    with ServerProcess(path, variables=NEWER) as server:
        lost = Calls(server).associate(customer_id="lost", partner_id="p").revision
        assert server.stop() == 0
    shutil.copy(path.with_name("frostgate.db-head"), again.with_name("again.db-head"))
    assert restore(backup, again).floor > lost
    with closing(open_store(again, create=False)) as store:
        assert store.get_customer("a") is not None


def test_a_migration_that_fails_changes_nothing_and_leaves_the_backup(path: Path, tmp_path: Path) -> None:
    before, backup = everything(path), tmp_path / "backup.db"
    done = run(*COMMAND, *migrate(path, backup), variables={**NEWER, "FAILING_MIGRATION": "1"})
    assert done.returncode == 1
    assert everything(path) == before == everything(backup)


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_page,
        lambda path: edit(path, "UPDATE customers SET freeze_state = 1"),
        lambda path: edit(path, "DELETE FROM partners"),
        lambda path: edit(path, "CREATE TABLE other (x)"),
    ],
)
def test_a_damaged_database_is_not_migrated(old: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    damage(old)
    content = old.read_bytes()
    assert refused_here(*migrate(old, tmp_path / "backup.db"))
    assert old.read_bytes() == content
    assert not (tmp_path / "backup.db").exists()


def test_a_database_in_use_or_without_room_for_its_backup_is_not_migrated(old: Path, tmp_path: Path) -> None:
    claim = lock_database(old, create=False)
    assert "is in use by process" in refused_here(*migrate(old, tmp_path / "backup.db"))
    claim.close()
    before = states(old.parent)["frostgate.db"]
    assert "exists already: name a new file" in refused_here(*migrate(old, old))
    assert "cannot be copied to" in refused_here(*migrate(old, tmp_path / "none" / "backup.db"))
    assert states(old.parent)["frostgate.db"].content == before.content
    assert "does not exist" in refused_here(*migrate(tmp_path / "none.db", tmp_path / "backup.db"))


def test_many_processes_that_migrate_at_once_migrate_once(old: Path) -> None:
    with ServerProcess(old, "--workers=4") as server:
        assert Calls(server).new_customer()
        assert server.stop() == 0
    with closing(sqlite3.connect(old)) as connection:
        names = connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id").fetchall()
    assert names == [("initial",), ("bounds_and_restores",)]
