"""The migrations of the schema. Never edit a released migration: add a new one."""

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
"""Marks an SQLite file as a frostgate database: "FROS"."""

_NAME = "frostgate"
"""The name of the migration set, in the table in which sqlite-utils records applied migrations."""

_TABLE = "_sqlite_migrations"
_HAS_TABLE = f"SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = '{_TABLE}'"
_APPLIED = f"SELECT name FROM {_TABLE} WHERE migration_set = '{_NAME}'"


def initial(db: "Database") -> None:
    """Creates all tables, and a head at revision 0."""
    _run_script(db, "schema.sql")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("INSERT INTO head VALUES (1, ?, 0, ?, 0, ?)", [str(uuid4()), GENESIS, GENESIS])


def bounds_and_restores(db: "Database") -> None:
    """Adds the sizes of the kept answers of each caller, and the record of restores."""
    _run_script(db, "bounds_and_restores.sql")


MIGRATIONS = [initial, bounds_and_restores]
"""All migrations, in order."""

READS_ROWS: set[str] = set()
"""Migrations that read rows, and so are slow on a large database. Only `frostgate-server migrate` and restores run
them."""


def pending_migrations(connection: sqlite3.Connection) -> list[str]:
    """The names of the migrations that a database needs, in order. Raises the same errors as `ensure_schema`."""
    ensure_schema(connection)
    return [migration.name for migration in _migrations().pending(new_database(connection))]


def migrate(connection: sqlite3.Connection, *, by_command: bool = False) -> None:
    """Applies the pending migrations in one transaction. Concurrent processes wait, and then have nothing to do.

    Raises the same errors as `ensure_schema`. If an existing database needs migrations that read rows, raises
    StartupError, unless `by_command` is true.
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
    """Compares the schema with the result of the migrations that the database has.

    Raises StartupError for the schema of a newer frostgate version. Raises sqlite3.DatabaseError, which names the first
    different object, for a schema of no frostgate version.
    """
    applied = _applied(connection)
    if newer := sorted(applied - _known()):
        raise StartupError(f"the database was made by a newer frostgate ({', '.join(newer)}): upgrade this one")
    ensure_same(_expected_schema(applied), read_schema(connection))


def expected_schema() -> ExpectedSchema:
    """The schema after all migrations."""
    return _expected_schema(_known())


def _migrations() -> "Migrations":
    """The migrations as a sqlite-utils object."""
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
    """The schema after these migrations, made in memory. They are the first ones of all: it stops before the next."""
    if not applied:
        return ExpectedSchema((), frozenset())
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _migrations().apply(new_database(connection), stop_before=_known() - applied)
        return read_expected_schema(connection)


def _run_script(db: "Database", name: str) -> None:
    for statement in _statements(resources.files(__package__).joinpath(name).read_text("utf-8")):
        db.execute(statement)


def _statements(script: str) -> list[str]:
    """The statements of a script. `executescript` cannot be used, because it commits the current transaction."""
    statements, lines = [], ""
    for line in script.splitlines(keepends=True):
        lines += line
        if sqlite3.complete_statement(lines):
            statements.append(lines)
            lines = ""
    return statements
