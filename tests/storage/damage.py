"""Ways to damage the files of a database, and to edit its rows."""

import os
import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.head_file import SLOT_SIZE
from frostgate_server.storage.sqlite.opening import open_store
from support.subjects import ServiceSubject


def head_file(path: Path) -> Path:
    return path.with_name(path.name + "-head")


def edit(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def truncate_to_nothing(path: Path) -> None:
    os.truncate(path, 0)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 4096)


def overwrite(path: Path) -> None:
    path.write_bytes(b"these are no pages" * 1000)


def flip_a_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : 2 * 4096] = b"\xff" * 4096
    path.write_bytes(content)


def put_another_in_its_place(path: Path) -> None:
    other = path.with_name("other.db")
    with closing(open_store(other, create=True)) as store:
        for number in range(9):
            ServiceSubject(store).associate(f"other-{number}", "p")
    other.replace(path)


def put_an_older_one_in_its_place(path: Path) -> None:
    older = path.read_bytes()
    with closing(open_store(path, create=False)) as store:
        ServiceSubject(store).associate("d", "p")
    path.write_bytes(older)


def put_no_frostgate_in_its_place(path: Path) -> None:
    path.unlink()
    edit(path, "CREATE TABLE t (x)")


def lose_the_head_file(path: Path) -> None:
    head_file(path).unlink()


def damage_the_head_file(path: Path) -> None:
    head_file(path).write_bytes(b"x" * 2 * SLOT_SIZE)


def rewrite_history(path: Path) -> None:
    edit(path, "UPDATE head SET hash = 'x' || substr(hash, 2)")


def come_from_the_future(path: Path) -> None:
    edit(path, "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('frostgate', 'later', '')")


def tampered_by_sql(
    path: Path, tamper: Callable[[sqlite3.Connection, random.Random], None], chance: random.Random
) -> None:
    """The triggers, which are no defence against who has the file, are put back as they were."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        tamper(connection, chance)
        for _, sql in triggers:
            connection.execute(sql)


def contents(path: Path) -> list[list[tuple[object, ...]]] | None:
    """All rows of the record; None if they cannot be read."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            tables = ("head", "events", "audit_entries", "customers", "partners")
            return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    except (sqlite3.Error, UnicodeDecodeError):
        return None
