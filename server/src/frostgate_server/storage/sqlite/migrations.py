"""The schema's history. A migration that has been released is never edited: add another."""

from importlib import resources
from uuid import uuid4

from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.hash_chain import GENESIS

from .driver import Database, Migrations, sqlite3

APPLICATION_ID = 0x46524F53
"""Marks an SQLite file as frostgate's: "FROS"."""

migrations = Migrations("frostgate")


@migrations()
def initial(db: Database) -> None:
    """Everything, and a head that stands at revision 0."""
    for statement in _statements(resources.files(__package__).joinpath("schema.sql").read_text("utf-8")):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("INSERT INTO head VALUES (1, ?, 0, ?, 0, ?)", [str(uuid4()), GENESIS, GENESIS])


KNOWN = {initial.__name__}


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the schema up to date. One process at a time: the others wait, and find it done.

    Raises StartupError for a schema that a newer frostgate made.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        database = Database(connection)
        applied = {migration.name for migration in migrations.applied(database)}
        if newer := sorted(applied - KNOWN):
            raise StartupError(f"the database was made by a newer frostgate ({', '.join(newer)}): upgrade this one")
        migrations.apply(database)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(script: str) -> list[str]:
    """The script's statements: sqlite3's own executescript would commit the transaction around it."""
    statements, lines = [], ""
    for line in script.splitlines(keepends=True):
        lines += line
        if sqlite3.complete_statement(lines):
            statements.append(lines)
            lines = ""
    return statements
