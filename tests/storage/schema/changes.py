"""Changes of a database's schema that no frostgate makes, and some that change nothing that matters."""

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from frostgate_server.storage.sqlite.driver import sqlite3

TABLES = ("head", "partners", "verification_codes", "verification_counts", "customers", "events", "audit_entries")


class SchemaChange(NamedTuple):
    """SQL that changes a schema, and the object that a refusal names."""

    name: str
    sql: list[str]
    named: str


def rebuilt(table: str, old: str, new: str) -> Callable[[sqlite3.Connection], None]:
    """Makes a table anew, with its rows, indexes and triggers, and with another definition."""

    def rebuild(connection: sqlite3.Connection) -> None:
        definitions = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'table' DESC", [table]
        ).fetchall()
        (definition,), *others = definitions
        assert old in definition
        another = re.sub(rf"^CREATE TABLE {table}\b", "CREATE TABLE anew", definition).replace(old, new)
        connection.execute("PRAGMA legacy_alter_table = ON")
        connection.execute(another)
        connection.execute(f"INSERT INTO anew SELECT * FROM {table}")
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"ALTER TABLE anew RENAME TO {table}")
        for (sql,) in others:
            connection.execute(sql)

    return rebuild


def trigger(name: str, table: str, moment: str, body: str = "SELECT RAISE(IGNORE)") -> SchemaChange:
    sql = f"CREATE TRIGGER {name} {moment} ON {table} BEGIN {body}; END"
    return SchemaChange(f"trigger {moment} on {table}", [sql], f"trigger {name}")


def hidden(kind: str, name: str, table: str, sql: str) -> SchemaChange:
    """A row that is written to the table of the schema itself: its name may be one that SQLite keeps for itself."""
    insert = f"INSERT INTO sqlite_schema VALUES ('{kind}', '{name}', '{table}', 0, '{sql}')"
    return SchemaChange(f"hidden {kind} {name}", ["PRAGMA writable_schema = ON", insert], f"{kind} {name}")


def edited(name: str, old: str, new: str, kind: str) -> SchemaChange:
    """The definition of an object, edited in the table of the schema itself."""
    old, new = (text.replace("'", "''") for text in (old, new))
    edit = f"UPDATE sqlite_schema SET sql = replace(sql, '{old}', '{new}') WHERE name = '{name}'"
    return SchemaChange(f"edited {name}: {new}", ["PRAGMA writable_schema = ON", edit], f"{kind} {name}")


def replaced_index(name: str, another: str) -> SchemaChange:
    return SchemaChange(f"another {name}", [f"DROP INDEX {name}", f"CREATE {another}"], f"index {name}")


def view(table: str, columns: str) -> SchemaChange:
    """A view in the place of a table. The table goes on under another name."""
    renamed = ["PRAGMA legacy_alter_table = ON", f"ALTER TABLE {table} RENAME TO {table}_before"]
    sql = f"CREATE VIEW {table} AS SELECT {columns} FROM {table}_before"
    return SchemaChange(f"view {table}", [*renamed, sql], "(view|table|index|trigger) [a-z_]+")


IGNORE = "BEFORE UPDATE ON customers BEGIN SELECT RAISE(IGNORE); END"

SIMPLE = [
    *(trigger(f"on_{table}", table, "BEFORE UPDATE") for table in TABLES),
    trigger("a", "customers", "AFTER INSERT", "UPDATE customers SET freeze_state = 1"),
    trigger("a_sqlite_", "customers", "BEFORE DELETE"),
    trigger("b", "events", "AFTER INSERT", "DELETE FROM customers"),
    trigger("c", "answers", "BEFORE INSERT"),
    SchemaChange("temporary name", ["CREATE TABLE sqlitemore (x)"], "table sqlitemore"),
    SchemaChange("table", ["CREATE TABLE more_sqlite_ (x)"], "table more_sqlite_"),
    SchemaChange("view", ["CREATE VIEW frozen AS SELECT * FROM customers"], "view frozen"),
    SchemaChange("index", ["CREATE INDEX i ON customers (freeze_state)"], "index i"),
    SchemaChange("unique index", ["CREATE UNIQUE INDEX u ON events (customer_id, revision)"], "index u"),
    SchemaChange("partial index", ["CREATE INDEX i ON customers (partner_id) WHERE freeze_state = 1"], "index i"),
    SchemaChange("expression index", ["CREATE INDEX i ON customers (abs(freeze_state))"], "index i"),
    SchemaChange("index by another collation", ["CREATE INDEX i ON customers (partner_id COLLATE NOCASE)"], "index i"),
    SchemaChange("no trigger", ["DROP TRIGGER events_are_not_edited"], "trigger events_are_not_edited"),
    SchemaChange("no other trigger", ["DROP TRIGGER audit_entries_are_not_removed"], "trigger audit_entries_are_not_"),
    SchemaChange("no index", ["DROP INDEX events_by_time"], "index events_by_time"),
    SchemaChange("no table", ["DROP TABLE answers"], "(index|table) (answers|sqlite_autoindex_answers)"),
    SchemaChange("another column", ["ALTER TABLE customers ADD COLUMN more TEXT"], "table customers"),
    SchemaChange(
        "generated column",
        ["ALTER TABLE customers ADD COLUMN state INTEGER GENERATED ALWAYS AS (1) VIRTUAL"],
        "table customers",
    ),
    SchemaChange("renamed column", ["ALTER TABLE events RENAME COLUMN actor TO author"], "table events"),
    SchemaChange("no column", ["ALTER TABLE customers DROP COLUMN freeze_reason"], "table customers"),
    replaced_index("events_of_customer", "INDEX events_of_customer ON events (customer_id COLLATE NOCASE, revision)"),
    replaced_index("events_by_time", "INDEX events_by_time ON events (event_time DESC)"),
    replaced_index("events_of_partner", "UNIQUE INDEX events_of_partner ON events (partner_id, revision)"),
    replaced_index("customers_of_partner", "INDEX customers_of_partner ON customers (partner_id) WHERE revision > 9"),
    SchemaChange(
        "trigger with another condition",
        [
            "DROP TRIGGER events_are_not_edited",
            "CREATE TRIGGER events_are_not_edited BEFORE UPDATE ON events WHEN old.revision < 0 BEGIN SELECT 1; END",
        ],
        "trigger events_are_not_edited",
    ),
    view("head", "id, database_id, revision, hash, audit_sequence, audit_hash"),
    view(
        "customers",
        "customer_id, 1 AS freeze_state, revision, checksum, partner_id, freeze_reason, freeze_time, "
        "retention_expire_time, associate_time, update_time",
    ),
]
"""By SQL that any program may run."""

WRITTEN = [
    hidden("trigger", "sqlite_evil", "customers", f"CREATE TRIGGER sqlite_evil {IGNORE}"),
    hidden("trigger", "sqlite_stat1", "customers", f"CREATE TRIGGER sqlite_stat1 {IGNORE}"),
    hidden("view", "sqlite_view", "sqlite_view", "CREATE VIEW sqlite_view AS SELECT 1"),
    hidden("trigger", "two\nlines", "customers", f'CREATE TRIGGER "two\nlines" {IGNORE}')._replace(
        named=r"trigger two\\nlines"
    ),
    edited("customers", "CHECK (freeze_state IN (1, 2, 3))", "", "table"),
    edited("customers", "customer_id TEXT", "customer_id TEXT COLLATE NOCASE", "table"),
    edited("events_are_not_removed", "RAISE(ABORT, 'events are append-only')", "1", "trigger"),
    edited("audit_entries_are_not_edited", "BEFORE", "AFTER", "trigger"),
    edited("events_of_customer", "customer_id, revision", "customer_id, partner_id", "index"),
    SchemaChange(
        "trigger whose row is gone",
        ["PRAGMA writable_schema = ON", "DELETE FROM sqlite_schema WHERE name = 'events_are_not_removed'"],
        "trigger events_are_not_removed",
    ),
]
"""By writing to the table of the schema itself."""

UNREADABLE = [
    hidden("table", "sqlite_stat1", "sqlite_stat1", f"CREATE TRIGGER sqlite_stat1 {IGNORE}"),
    hidden("table", "sqlite_stat4", "customers", f"CREATE TRIGGER sqlite_stat4 {IGNORE}"),
    hidden("index", "sqlite_autoindex_x", "customers", f"CREATE TRIGGER sqlite_evil {IGNORE}"),
    SchemaChange(
        "trigger that is there twice",
        [
            "PRAGMA writable_schema = ON",
            "INSERT INTO sqlite_schema SELECT * FROM sqlite_schema WHERE name = 'events_are_not_removed'",
        ],
        "trigger events_are_not_removed",
    ),
]
"""The same, but SQLite itself refuses the schema."""

REBUILT = {
    "customers by another collation": rebuilt("customers", "customer_id TEXT", "customer_id TEXT COLLATE NOCASE"),
    "customers with a rowid": rebuilt("customers", ") STRICT, WITHOUT ROWID", ") STRICT"),
    "customers of any type": rebuilt("customers", ") STRICT, WITHOUT ROWID", ") WITHOUT ROWID"),
    "customers of any state": rebuilt("customers", " CHECK (freeze_state IN (1, 2, 3))", ""),
    "customers in any case": rebuilt("customers", "partner_id TEXT NOT NULL", "partner_id TEXT NOT NULL COLLATE RTRIM"),
    "events without a rowid": rebuilt("events", ") STRICT", ") STRICT, WITHOUT ROWID"),
    "events that replace others": rebuilt("events", "PRIMARY KEY", "PRIMARY KEY ON CONFLICT REPLACE"),
    "partners with codes": rebuilt("partners", "NOT NULL DEFAULT 0", "NOT NULL DEFAULT 1"),
    "answers that replace others": rebuilt(
        "answers", "(principal, method, request_id)", "(principal, method, request_id) ON CONFLICT REPLACE"
    ),
}
"""Tables that were made anew, with their rows."""

HARMLESS = {
    "statistics": ["ANALYZE"],
    "statistics of one table": ["ANALYZE customers"],
    "no free pages": ["VACUUM"],
    "indexes made anew": ["REINDEX"],
    "quotes of ALTER TABLE": ["ALTER TABLE customers RENAME TO others", "ALTER TABLE others RENAME TO customers"],
    "quotes in indexes and triggers": ["ALTER TABLE events RENAME TO others", "ALTER TABLE others RENAME TO events"],
    "quotes of columns": [
        "ALTER TABLE events RENAME COLUMN actor TO author",
        "ALTER TABLE events RENAME COLUMN author TO actor",
    ],
    "white space and comments": [
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '\n\tNOT /* at all */ NULL -- ever\n')",
    ],
}
"""Changes that leave the schema as it was."""


def change(path: Path, statements: list[str]) -> None:
    """Runs statements on a database, as another program does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for sql in statements:
            connection.execute(sql)
