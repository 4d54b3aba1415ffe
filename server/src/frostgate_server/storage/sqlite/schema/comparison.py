"""Reads schemas of databases, and finds the first difference between two schemas.

It compares all rows of `sqlite_schema`: tables, indexes, triggers and views, with any name. White space, comments and
the quotes of names do not matter, because ALTER TABLE rewrites some of them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from frostgate_server.storage.sqlite.driver import sqlite3

LONGEST_NAME = 100
"""The number of characters of an unknown name that are shown."""

_OBJECTS = (
    "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(tbl_name AS BLOB), CAST(sql AS BLOB) FROM main.sqlite_schema"
)
"""It selects bytes, because an unknown name may not be valid UTF-8."""

_NAMES = (
    "SELECT name FROM main.sqlite_schema "
    "UNION SELECT columns.name FROM main.sqlite_schema AS objects JOIN pragma_table_xinfo(objects.name) AS columns"
)

_TOKEN = re.compile(
    r"(?P<gap>[ \t\n\f\r]+|--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<literal>[xX]?'(?:[^']|'')*')"
    r'|"(?P<quoted>(?:[^"]|"")*)"|`(?P<ticked>(?:[^`]|``)*)`|\[(?P<bracketed>[^\]]*)\]'
    r"|(?P<word>[A-Za-z0-9_$\x80-\U0010ffff]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
"""An SQL token by the rules of SQLite: only these five characters are white space, and every character outside ASCII
belongs to a word."""


class SchemaObject(NamedTuple):
    """A row of `sqlite_schema`. `sql` is empty for an automatic index."""

    kind: str
    name: str
    table: str
    sql: str

    def __str__(self) -> str:
        """The kind and the name, on one line."""
        kind, name = (text.encode("unicode_escape").decode()[:LONGEST_NAME] for text in self[:2])
        return f"{kind} {name}"


STATISTICS = {
    SchemaObject("table", "sqlite_stat1", "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
    SchemaObject("table", "sqlite_stat4", "sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"),
}
"""The tables of ANALYZE. They are allowed in every database, because they change no result of a query."""


@dataclass(frozen=True, slots=True)
class Schema:
    """All objects of a database, in order, without the statistics."""

    objects: tuple[SchemaObject, ...]


@dataclass(frozen=True, slots=True)
class ExpectedSchema(Schema):
    """The schema that a database must have. `names` are the names of its objects and of their columns."""

    names: frozenset[str]


def read_schema(connection: sqlite3.Connection) -> Schema:
    """The schema of a database, as it is stored. Raises sqlite3.Error."""
    rows = connection.execute(_OBJECTS).fetchall()
    return Schema(_in_order(SchemaObject(*map(_text, row)) for row in rows))


def read_expected_schema(connection: sqlite3.Connection) -> ExpectedSchema:
    """The schema of a reference database."""
    names = frozenset(name for (name,) in connection.execute(_NAMES).fetchall())
    return ExpectedSchema(read_schema(connection).objects, names)


def ensure_same(expected: ExpectedSchema, found: Schema) -> None:
    """Raises sqlite3.DatabaseError, which names the first object that is missing, differs or is not expected."""
    if found.objects == expected.objects:
        return
    wanted = _normalized(expected, expected.names)
    present = _normalized(found, expected.names)
    known = {one[:2] for one in wanted}
    unknown = [one for one in present if one not in wanted]
    for one in sorted(unknown, key=lambda one: one[:2] in known):
        problem = "is not as frostgate creates it" if one[:2] in known else "is not one of frostgate's"
        raise sqlite3.DatabaseError(f"the schema: {one} {problem}")
    for one in wanted:
        if one not in present:
            raise sqlite3.DatabaseError(f"the schema: {one} is missing")
    if len(present) != len(wanted):
        twice = next(one for one in present if present.count(one) != wanted.count(one))
        raise sqlite3.DatabaseError(f"the schema: {twice} is there more than once")


def normalized(sql: str, names: frozenset[str]) -> str:
    """SQL with one space between two tokens, without comments, and without quotes around these names."""
    return " ".join(_token(match, names) for match in _TOKEN.finditer(sql) if match.lastgroup != "gap")


def _normalized(schema: Schema, names: frozenset[str]) -> list[SchemaObject]:
    return [one._replace(sql=normalized(one.sql, names)) for one in schema.objects]


def _token(match: re.Match[str], names: frozenset[str]) -> str:
    name = next((match[group] for group in ("quoted", "ticked", "bracketed") if match[group] is not None), None)
    if name is None:
        return match[0]
    quote = {"quoted": '"', "ticked": "`"}.get(match.lastgroup or "")
    if quote:
        name = name.replace(quote * 2, quote)
    return name if name in names else '"' + name.replace('"', '""') + '"'


def _in_order(objects: Iterable[SchemaObject]) -> tuple[SchemaObject, ...]:
    return tuple(sorted(one for one in objects if one not in STATISTICS))


def _text(stored: bytes | None) -> str:
    return "" if stored is None else stored.decode("utf-8", "backslashreplace")
