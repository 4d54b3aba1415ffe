"""The schema's history. A migration that has been released is never edited: add another."""

from contextlib import closing
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from uuid import uuid4

from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.hash_chain import GENESIS
from frostgate_server.storage.sqlite.driver import new_database, new_migrations, sqlite3

from .comparison import ExpectedSchema, ensure_same, read_expected_schema, read_schema

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x46524F53
"""Marks an SQLite file as frostgate's: "FROS"."""

_NAME = "frostgate"
"""Of the set, in the table in which sqlite-utils notes what was applied."""

_TABLE = "_sqlite_migrations"
_HAS_TABLE = f"SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = '{_TABLE}'"
_APPLIED = f"SELECT name FROM {_TABLE} WHERE migration_set = '{_NAME}'"


def initial(db: "Database") -> None:
    """Everything, and a head that stands at revision 0."""
    _run_script(db, "schema.sql")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("INSERT INTO head VALUES (1, ?, 0, ?, 0, ?)", [str(uuid4()), GENESIS, GENESIS])


def bounds_and_restores(db: "Database") -> None:
    """Counts kept answers for each caller, and records restores."""
    _run_script(db, "bounds_and_restores.sql")


MIGRATIONS = [initial, bounds_and_restores]
"""All of them, in order."""

READS_ROWS: set[str] = set()
"""Those that read rows, and so take long on a large database: only `frostgate-server migrate` and restores run them."""


def pending_migrations(connection: sqlite3.Connection) -> list[str]:
    """The names of the migrations that a database needs, in order. Raises as `ensure_schema`."""
    ensure_schema(connection)
    return [migration.name for migration in _migrations().pending(new_database(connection))]


def migrate(connection: sqlite3.Connection, *, by_command: bool = False) -> None:
    """Brings the schema up to date. One process at a time: the others wait, and find it done.

    Raises as `ensure_schema`, and StartupError, unless the command migrates, for migrations that read the rows of a
    database that exists. All is done in one transaction.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        reading = [name for name in pending_migrations(connection) if name in READS_ROWS]
        if reading and not by_command and _applied(connection):
            raise StartupError(
                f"the database must be migrated first ({', '.join(reading)}): stop its server and run "
                "frostgate-server migrate --database FILE --backup NEW_FILE"
            )
        _migrations().apply(new_database(connection))
        ensure_same(expected_schema(), read_schema(connection))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def ensure_schema(connection: sqlite3.Connection) -> None:
    """Compares the schema with the one that the database's own migrations make.

    Raises StartupError for a schema that a newer frostgate made, and sqlite3.DatabaseError, which names the object, for
    one that no frostgate made.
    """
    applied = _applied(connection)
    if newer := sorted(applied - _known()):
        raise StartupError(f"the database was made by a newer frostgate ({', '.join(newer)}): upgrade this one")
    ensure_same(_expected_schema(applied), read_schema(connection))


def expected_schema() -> ExpectedSchema:
    """What all migrations make."""
    return _expected_schema(_known())


def _migrations() -> "Migrations":
    """The migrations as sqlite-utils takes them."""
    migrations = new_migrations(_NAME)
    for migration in MIGRATIONS:
        migrations()(migration)
    return migrations


def _known() -> frozenset[str]:
    return frozenset(migration.__name__ for migration in MIGRATIONS)


def _applied(connection: sqlite3.Connection) -> frozenset[str]:
    """The names of the migrations that the database has."""
    if not connection.execute(_HAS_TABLE).fetchall():
        return frozenset()
    return frozenset(str(name) for (name,) in connection.execute(_APPLIED).fetchall())


@cache
def _expected_schema(applied: frozenset[str]) -> ExpectedSchema:
    """What these migrations make, in memory. They are the first ones: the next one is never reached."""
    if not applied:
        return ExpectedSchema((), frozenset())
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _migrations().apply(new_database(connection), stop_before=_known() - applied)
        return read_expected_schema(connection)


def _run_script(db: "Database", name: str) -> None:
    for statement in _statements(resources.files(__package__).joinpath(name).read_text("utf-8")):
        db.execute(statement)


def _statements(script: str) -> list[str]:
    """The script's statements: sqlite3's own executescript would commit the transaction around it."""
    statements, lines = [], ""
    for line in script.splitlines(keepends=True):
        lines += line
        if sqlite3.complete_statement(lines):
            statements.append(lines)
            lines = ""
    return statements
