"""A database with another schema than frostgate's is refused by every command, by the name of the object."""

from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.sqlite.admin.audit_log import audit_entries
from frostgate_server.storage.sqlite.admin.backup import backup
from frostgate_server.storage.sqlite.admin.recover import recover
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.opening import open_store
from storage.schema.changes import HARMLESS, IGNORE, REBUILT, SIMPLE, UNREADABLE, WRITTEN, SchemaChange, change
from support.commands_here import refused_here
from support.server_process import refused_start
from support.subjects import ServiceSubject

ALL = SIMPLE + WRITTEN

MANY = [*SIMPLE[::6], *WRITTEN[::6]]
"""Some of each kind, for what takes longer."""


def assert_refused(path: Path, named: str) -> None:
    for command in (lambda: open_store(path, create=False), lambda: verify(path)):
        with pytest.raises(StartupError, match=rf"the schema: {named}[^ ]* (is|was) "):
            command()


def assert_refused_by_all(path: Path, named: str) -> None:
    """By every command that opens the database; none of them leaves a file."""
    assert_refused(path, named)
    copy = path.with_name("copy.db")
    for command in (lambda: backup(path, copy), lambda: recover(path), lambda: list(audit_entries(path, 0))):
        with pytest.raises(StartupError, match=rf"the schema: {named}[^ ]* (is|was) "):
            command()
    assert not copy.exists()
    assert not path.with_name(path.name + "-head-before-recovery").exists()


@pytest.mark.parametrize("changed", ALL, ids=[one.name for one in ALL])
def test_a_changed_schema_is_refused_by_name(path: Path, changed: SchemaChange) -> None:
    change(path, changed.sql)
    assert_refused(path, changed.named)


@pytest.mark.parametrize("changed", MANY, ids=[one.name for one in MANY])
def test_a_changed_schema_is_refused_by_every_command(path: Path, changed: SchemaChange) -> None:
    change(path, changed.sql)
    assert_refused_by_all(path, changed.named)


@pytest.mark.parametrize("name", REBUILT)
def test_a_table_that_was_made_anew_is_refused_by_name(path: Path, name: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        REBUILT[name](connection)
    assert_refused(path, "(table (customers|events|partners|answers)|index sqlite_autoindex_)")


@pytest.mark.parametrize("statements", HARMLESS.values(), ids=list(HARMLESS))
def test_a_schema_in_other_words_is_taken(path: Path, statements: list[str]) -> None:
    change(path, statements)
    with closing(open_store(path, create=False)) as store:
        ServiceSubject(store).associate("d", "p")
    assert verify(path).customers == 4
    assert backup(path, path.with_name("copy.db")) == 4
    assert recover(path).events == 4


def test_the_commands_say_in_one_line_which_object_it_is(path: Path) -> None:
    (evil,) = (one for one in WRITTEN if one.named == "trigger sqlite_evil")
    change(path, evil.sql)
    for command in (["verify"], ["backup", "--to", f"{path}-copy"], ["recover"], ["audit"]):
        line = refused_here(*command, "--database", str(path))
        assert "the schema: trigger sqlite_evil is not one of frostgate's" in line
    line = refused_start("serve", "--database", str(path))
    assert "the schema: trigger sqlite_evil is not one of frostgate's" in line


def test_a_name_that_is_no_text_is_refused(path: Path) -> None:
    sql = f"'CREATE TRIGGER e {IGNORE}'"
    insert = f"INSERT INTO sqlite_schema VALUES ('trigger', CAST(x'73ff' AS TEXT), 'customers', 0, {sql})"
    change(path, ["PRAGMA writable_schema = ON", insert])
    for command in (lambda: open_store(path, create=False), lambda: verify(path)):
        with pytest.raises(StartupError):
            command()


@pytest.mark.parametrize("changed", UNREADABLE, ids=[one.name for one in UNREADABLE])
def test_a_schema_that_sqlite_cannot_read_is_refused_by_name(path: Path, changed: SchemaChange) -> None:
    change(path, changed.sql)
    with pytest.raises(StartupError, match=rf"malformed database schema \({changed.named.split()[1]}\)"):
        open_store(path, create=False)
    with pytest.raises(StartupError, match=rf"malformed database schema \({changed.named.split()[1]}\)"):
        verify(path)


def test_a_database_of_no_migration_is_refused(path: Path) -> None:
    change(path, ["DELETE FROM _sqlite_migrations"])
    assert_refused(path, "(table|index) [a-z_]+")


def test_migrations_in_a_view_are_refused(path: Path) -> None:
    view = "CREATE VIEW _sqlite_migrations AS SELECT 'frostgate' AS migration_set, 'initial' AS name"
    change(path, ["ALTER TABLE _sqlite_migrations RENAME TO m", view])
    assert_refused(path, "(table|index|view) [a-z_]+")
