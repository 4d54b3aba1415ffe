"""Whether a database tells one story: its events in their chain, its customers, its head, and heads exported earlier.

Whoever can write to the file can recompute every hash in it. What they cannot change is a head that was exported to a
place of which they know nothing: it must be found in the history again.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from frostgate_server.errors import StartupError, StorageUnavailable
from frostgate_server.event_chain import GENESIS, chained
from frostgate_server.freezing import Customer, FreezeEvent, replayed
from frostgate_server.vocabulary import FreezeEventAction

from .connections import connect, identity
from .head_file import REVISION_JUMP, Head, HeadFile, HeadFileDamaged
from .library import ensure_sound, sqlite3
from .migrations import migrate
from .opening import Prepared, ensure_frostgates, head_path
from .rows import CUSTOMER_COLUMNS, EVENT_COLUMNS, Row, customer_of, event_of
from .transaction import read_head

_EVENTS = f"SELECT hash, {EVENT_COLUMNS} FROM events ORDER BY revision"
_EVENTS_BY_CUSTOMER = f"SELECT {EVENT_COLUMNS} FROM events ORDER BY customer_id, revision"
_CUSTOMERS = f"SELECT {CUSTOMER_COLUMNS} FROM customers ORDER BY customer_id"
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*' ORDER BY type, name"


@dataclass(frozen=True, slots=True)
class Verified:
    """What a database was found to hold, and where its history stands."""

    customers: int
    events: int
    head: Head


class DoesNotFit(StartupError):
    """The first thing in a database that does not fit the rest."""


def verify(path: Path, exported: Iterable[Head] = ()) -> Verified:
    """Holds everything in a database against everything else, also while it is served.

    Raises DoesNotFit, which names the first thing that does not fit, and StartupError if nothing can be read.
    """
    ensure_sound()
    path = path.resolve()
    if not path.exists():
        raise StartupError(f"database {path} does not exist: correct --database")
    remembered = remembered_heads(path)
    try:
        with closing(connect(path)) as connection:
            ensure_frostgates(path, connection)
            connection.execute("BEGIN")
            return verified_content(connection, [*exported, *remembered])
    except sqlite3.OperationalError as error:
        raise StartupError(f"database {path} cannot be read now: {error}") from error
    except sqlite3.DatabaseError as error:
        raise DoesNotFit(str(error)) from error


def verified_content(connection: sqlite3.Connection, heads: Iterable[Head] = ()) -> Verified:
    """As `verify`, for what a connection sees. Raises DoesNotFit, sqlite3.Error."""
    try:
        return _verified(connection, list(heads))
    except StorageUnavailable as error:
        raise DoesNotFit(error.detail) from error
    except (ValueError, OverflowError, TypeError) as error:
        raise DoesNotFit(f"a value that cannot be: {error}") from error


def _verified(connection: sqlite3.Connection, heads: list[Head]) -> Verified:
    ((verdict,), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise DoesNotFit(f"the pages: {verdict}")
    _verify_schema(connection)
    head = read_head(connection)
    events = _verify_chain(connection, head, heads)
    return Verified(_verify_customers(connection), events, head)


def read_heads(file: Path) -> list[Head]:
    """The heads in a file that they were exported to. Raises StartupError."""
    try:
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
        return [Head(line["database_id"], line["revision"], line["hash"]) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StartupError(f"exported heads cannot be read from {file}: {error}") from error


def current_head(prepared: Prepared) -> Head:
    """The head that the served database's head file remembers. Raises StartupError, OSError if it is another file."""
    if identity(head_path(prepared.path)) != prepared.head_file:
        raise OSError(f"{head_path(prepared.path)} was replaced while it was served")
    for head in remembered_heads(prepared.path):
        return head
    raise OSError(f"{head_path(prepared.path)} holds no head")


def remembered_heads(path: Path) -> list[Head]:
    """What the head file remembers, before the database is looked at, which may go on meanwhile."""
    try:
        with closing(HeadFile(head_path(path), create=False)) as file:
            return [file.head] if file.head else []
    except FileNotFoundError:
        return []
    except HeadFileDamaged as error:
        raise DoesNotFit(f"the head file: {error}") from error


def _verify_schema(connection: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as sound:
        migrate(sound)
        expected = sound.execute(_SCHEMA).fetchall()
    found = connection.execute(_SCHEMA).fetchall()
    for row in [*expected, *found]:
        if row not in found or row not in expected:
            raise DoesNotFit(f"the schema: {row[0]} {row[1]} is not as frostgate made it")


def _verify_chain(connection: sqlite3.Connection, head: Head, heads: list[Head]) -> int:
    """Every event is chained to the one before, the last is the head, and the history went through all known heads."""
    for known in heads:
        if known.database_id != head.database_id:
            raise DoesNotFit(f"the database: it is {head.database_id}, but a head of {known.database_id} is known")
    expected = deque(sorted(heads, key=lambda known: known.revision))
    hash_, revision, count = GENESIS, 0, 0
    for claimed, *row in connection.execute(_EVENTS):
        _verify_heads_before(expected, row[0], hash_)
        hash_, revision, count = chained(hash_, event_of(tuple(row))), row[0], count + 1
        if hash_ != claimed:
            raise DoesNotFit(f"event {revision}: its hash does not follow from it and the event before")
    if head.hash != hash_ or not (head.revision == revision or head.revision >= revision + REVISION_JUMP):
        raise DoesNotFit(f"the head: revision {head.revision} does not stand where the last event, {revision}, ends")
    _verify_heads_before(expected, head.revision + 1, hash_)
    if expected:
        raise DoesNotFit(f"the history: it ends at revision {head.revision}, but {expected[0].revision} was there")
    return count


def _verify_heads_before(expected: deque[Head], next_revision: int, hash_: str) -> None:
    """Until the next event the history stands at one hash."""
    while expected and expected[0].revision < next_revision:
        known = expected.popleft()
        if known.hash != hash_:
            raise DoesNotFit(f"the history: revision {known.revision} is not the one that was there before")


def _verify_customers(connection: sqlite3.Connection) -> int:
    """Every customer is what its events make of it, and every partner has or had one. Gives how many there are."""
    rows = map(customer_of, connection.execute(_CUSTOMERS))
    row = next(rows, None)
    count, partners = 0, set()
    for customer_id, events in _histories(connection):
        made = None
        for event in events:
            made = _replayed(made, event)
            if event.action is FreezeEventAction.ASSOCIATED:
                partners.add(event.partner_id)
        if made is None:
            continue
        _ensure_same(made, row, customer_id)
        row, count = next(rows, None), count + 1
    if row is not None:
        raise DoesNotFit(f"customer {row.customer_id}: no event tells of it")
    if {partner for (partner,) in connection.execute("SELECT partner_id FROM partners")} != partners:
        raise DoesNotFit("the partners: they are not those that customers were associated with")
    return count


def _histories(connection: sqlite3.Connection) -> Iterator[tuple[str, Iterator[FreezeEvent]]]:
    events: Iterator[Row] = connection.execute(_EVENTS_BY_CUSTOMER)
    return groupby(map(event_of, events), key=lambda event: event.customer_id)


def _replayed(made: Customer | None, event: FreezeEvent) -> Customer | None:
    try:
        return replayed(made, event)
    except ValueError as error:
        raise DoesNotFit(f"event {event.revision}: {error}") from error


def _ensure_same(made: Customer, row: Customer | None, customer_id: str) -> None:
    if row is None or row.customer_id > customer_id:
        raise DoesNotFit(f"customer {customer_id}: it is missing, though its events do not end it")
    if row.customer_id < customer_id:
        raise DoesNotFit(f"customer {row.customer_id}: no event tells of it")
    for field in Customer.__slots__:
        if getattr(row, field) != getattr(made, field):
            raise DoesNotFit(f"customer {customer_id}: its {field} is not what its events make of it")
