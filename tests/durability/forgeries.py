"""Forgeries of a database, by one who knows the schema and recomputes every checksum and every hash.

Each is an edit of one kind at one place. Triggers are put back afterwards.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from frostgate_server.domain.customer import Customer, replay_event
from frostgate_server.domain.hash_chain import GENESIS, hash_audit_entry, hash_event
from frostgate_server.domain.partner import Partner
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.row_mapping import (
    CUSTOMER_COLUMNS,
    ENTRY_COLUMNS,
    EVENT_COLUMNS,
    checksum,
    make_customer_row,
    make_partner_row,
    read_entry_row,
    read_event_row,
)

Edit = Callable[[sqlite3.Connection], None]


@dataclass(frozen=True, slots=True)
class Forgery:
    """An edit, and what is recomputed after it: nothing but the checksums of customers, or all that follows."""

    name: str
    edit: Edit
    cover: Edit

    def make(self, connection: sqlite3.Connection) -> None:
        """Edits a database, and covers it up."""
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        self.edit(connection)
        self.cover(connection)
        connection.execute("COMMIT")


def run(sql: str, values: tuple[object, ...], connection: sqlite3.Connection) -> None:
    """Runs a statement that must find a row."""
    assert connection.execute(sql, values).rowcount > 0, (sql, values)


def fit_checksums(connection: sqlite3.Connection) -> None:
    """Gives each customer the checksum that fits."""
    rows = connection.execute("SELECT customer_id, freeze_state, revision FROM customers").fetchall()
    for customer_id, state, revision in rows:
        fitting = (checksum(customer_id, state, revision), customer_id)
        connection.execute("UPDATE customers SET checksum = ? WHERE customer_id = ?", fitting)


def recompute_all(connection: sqlite3.Connection) -> None:
    """Makes the hashes of both chains, the head, the customers and the partners follow from the events and entries."""
    hash_ = GENESIS
    rows = connection.execute(f"SELECT {EVENT_COLUMNS} FROM events ORDER BY revision").fetchall()
    events = [read_event_row(row) for row in rows]
    for event in events:
        hash_ = hash_event(hash_, event)
        connection.execute("UPDATE events SET hash = ? WHERE revision = ?", (hash_, event.revision))
    rows = connection.execute(f"SELECT {ENTRY_COLUMNS} FROM audit_entries ORDER BY sequence").fetchall()
    entries, audit_hash = [read_entry_row(row) for row in rows], GENESIS
    for entry in entries:
        audit_hash = hash_audit_entry(audit_hash, entry)
        connection.execute("UPDATE audit_entries SET hash = ? WHERE sequence = ?", (audit_hash, entry.sequence))
    places = (events[-1].revision if events else 0, hash_, entries[-1].sequence if entries else 0, audit_hash)
    connection.execute("UPDATE head SET revision = ?, hash = ?, audit_sequence = ?, audit_hash = ?", places)
    customers: dict[str, Customer | None] = {}
    partners: dict[str, Partner] = {}
    for event in events:
        with suppress(ValueError):  # what cannot be replayed is left as it is
            customers[event.customer_id] = replay_event(customers.get(event.customer_id), event)
        partners.setdefault(event.partner_id, Partner(event.partner_id))
    for entry in entries:
        if entry.note.partner:
            partners[entry.note.partner.partner_id] = entry.note.partner
    connection.execute("DELETE FROM customers")
    for customer in customers.values():
        if customer is not None:
            sql = f"INSERT INTO customers ({CUSTOMER_COLUMNS}) VALUES ({', '.join('?' * 10)})"
            connection.execute(sql, make_customer_row(customer))
    connection.execute("DELETE FROM partners")
    for partner in partners.values():
        connection.execute("INSERT INTO partners VALUES (?, ?, ?)", make_partner_row(partner))


CUSTOMER_EDITS = {
    "customer_id": "customer_id || 'x'",
    "freeze_state": "freeze_state % 3 + 1",
    "revision": "revision + 1",
    "partner_id": "partner_id || 'x'",
    "freeze_reason": "coalesce(freeze_reason, '') || '!'",
    "freeze_time": "coalesce(freeze_time, 0) + 1",
    "retention_expire_time": "coalesce(retention_expire_time, 0) + 1",
    "associate_time": "associate_time + 1",
    "update_time": "update_time - 1",
}
EVENT_EDITS = {
    "customer_id": "customer_id || 'x'",
    "partner_id": "partner_id || 'x'",
    "action": "action % 4 + 1",
    "scope": "coalesce(scope, 0) % 2 + 1",
    "state_before": "coalesce(state_before, 0) % 3 + 1",
    "state_after": "coalesce(state_after, 0) % 3 + 1",
    "reason": "reason || '!'",
    "actor": "actor || 'x'",
    "request_id": "request_id || '0'",
    "event_time": "event_time + 1",
    "retention_expire_time": "coalesce(retention_expire_time, event_time) + 1",
}
ENTRY_EDITS = {
    "principal": "principal || 'x'",
    "method": "method || 's'",
    "reason": "reason || '!'",
    "subject": "subject || 'x'",
    "note_time": "note_time + 1",
    "omitted": "omitted + 1",
    "verification_code_enabled": "1 - verification_code_enabled",
    "verification_contact": "verification_contact || '.example.org'",
}


def customer_forgeries(customer_id: str, another_id: str) -> Iterator[Forgery]:
    """Of one customer, each of its columns; without it; with another one like it; and with the state of another one."""
    update = "UPDATE customers SET {} WHERE customer_id = ?"
    for column, value in CUSTOMER_EDITS.items():
        edit = partial(run, update.format(f"{column} = {value}"), (customer_id,))
        yield Forgery(f"{column} of customer {customer_id}", edit, fit_checksums)
    edit = partial(run, update.format("checksum = checksum + 1"), (customer_id,))
    yield Forgery(f"checksum of customer {customer_id}", edit, leave)
    delete = partial(run, "DELETE FROM customers WHERE customer_id = ?", (customer_id,))
    yield Forgery(f"no customer {customer_id}", delete, fit_checksums)
    columns = CUSTOMER_COLUMNS.replace("customer_id", "customer_id || 'y'", 1)
    sql = f"INSERT INTO customers ({CUSTOMER_COLUMNS}) SELECT {columns} FROM customers WHERE customer_id = ?"
    yield Forgery(f"another customer like {customer_id}", partial(run, sql, (customer_id,)), fit_checksums)
    fields = "freeze_state, revision, freeze_reason, freeze_time, retention_expire_time, update_time"
    sql = update.format(f"({fields}) = (SELECT {fields} FROM customers WHERE customer_id = '{another_id}')")
    yield Forgery(f"customer {customer_id} like {another_id}", partial(run, sql, (customer_id,)), fit_checksums)


def partner_forgeries(partner_id: str) -> Iterator[Forgery]:
    """Of one partner: each of its columns, without it, and with another one like it."""
    for change in (
        "partner_id = partner_id || 'x'",
        "verification_code_enabled = 1 - verification_code_enabled",
        "verification_contact = verification_contact || '.example.org'",
    ):
        edit = partial(run, f"UPDATE partners SET {change} WHERE partner_id = ?", (partner_id,))
        yield Forgery(f"{change.split()[0]} of partner {partner_id}", edit, leave)
    yield Forgery(f"no {partner_id}", partial(run, "DELETE FROM partners WHERE partner_id = ?", (partner_id,)), leave)
    sql = "INSERT INTO partners SELECT partner_id || 'y', 0, '' FROM partners WHERE partner_id = ?"
    yield Forgery(f"another partner like {partner_id}", partial(run, sql, (partner_id,)), leave)


def event_forgeries(revision: int, cover: Edit) -> Iterator[Forgery]:
    """Of one event: each of its columns, without it, and in the place of the next one."""
    for column, value in EVENT_EDITS.items():
        edit = partial(run, f"UPDATE events SET {column} = {value} WHERE revision = ?", (revision,))
        yield Forgery(f"{column} of event {revision}", edit, cover)
    yield Forgery(f"no event {revision}", partial(run, "DELETE FROM events WHERE revision = ?", (revision,)), cover)
    yield Forgery(f"event {revision} behind the next", partial(_swap_events, revision), cover)


def gap_forgeries(revision: int) -> Iterator[Forgery]:
    """Without an event and all after it, also with a gap as a recovery leaves it; and without the event, all later
    ones moved up."""
    cut = partial(run, "DELETE FROM events WHERE revision >= ?", (revision,))
    yield Forgery(f"nothing from event {revision} on", cut, recompute_all)
    yield Forgery(f"nothing from event {revision} on, as recovered", cut, _recompute_and_jump)
    yield Forgery(f"event {revision} left out", partial(_leave_out, revision), recompute_all)


def entry_forgeries(sequence: int, cover: Edit) -> Iterator[Forgery]:
    """Of one entry of the audit log that tells of a partner: each of its columns, and without it."""
    for column, value in ENTRY_EDITS.items():
        edit = partial(run, f"UPDATE audit_entries SET {column} = {value} WHERE sequence = ?", (sequence,))
        yield Forgery(f"{column} of entry {sequence}", edit, cover)
    nobody = "partner_id = NULL, verification_code_enabled = NULL, verification_contact = NULL"
    edit = partial(run, f"UPDATE audit_entries SET {nobody} WHERE sequence = ?", (sequence,))
    yield Forgery(f"no partner in entry {sequence}", edit, cover)
    delete = partial(run, "DELETE FROM audit_entries WHERE sequence = ?", (sequence,))
    yield Forgery(f"no entry {sequence}", delete, cover)
    cut = partial(run, "DELETE FROM audit_entries WHERE sequence >= ?", (sequence,))
    yield Forgery(f"nothing from entry {sequence} on", cut, cover)


def odd_value_forgeries(sequence: int) -> Iterator[Forgery]:
    """A value that is read as the one before, so that its hash is the same."""
    sql = "UPDATE audit_entries SET verification_code_enabled = 7 WHERE sequence = ? AND verification_code_enabled = 1"
    yield Forgery(f"another truth in entry {sequence}", partial(run, sql, (sequence,)), leave)


def head_forgeries() -> Iterator[Forgery]:
    """Of the head of the history."""
    for change in (
        "revision = revision - 1",
        "revision = revision + 1",
        "hash = substr(hash, 2) || substr(hash, 1, 1)",
        "audit_sequence = audit_sequence - 1",
        "audit_sequence = audit_sequence + 1",
        "audit_hash = substr(audit_hash, 2) || substr(audit_hash, 1, 1)",
        "database_id = upper(database_id) || 'x'",
    ):
        yield Forgery(f"head with {change}", partial(run, f"UPDATE head SET {change}", ()), leave)
    yield Forgery("no head", partial(run, "DELETE FROM head", ()), leave)


def tree_forgeries() -> Iterator[Forgery]:
    """Two tables or indexes, each read from the pages of the other one."""
    for name, other in (
        ("customers_of_partner", "answers_by_time"),
        ("events_of_customer", "events_of_partner"),
        ("events_of_partner", "events_by_time"),
        ("customers", "partners"),
    ):
        yield Forgery(f"{name} in the place of {other}", partial(_swap_trees, name, other), leave)


def leave(_: sqlite3.Connection) -> None:
    """Covers nothing up."""


def all_forgeries(connection: sqlite3.Connection, chance: random.Random, places: int) -> list[Forgery]:
    """Every kind of edit at so many places, or at each place where there are fewer."""

    def some(sql: str) -> list[Any]:
        found = [place for (place,) in connection.execute(sql).fetchall()]
        return chance.sample(found, min(places, len(found)))

    customers = some("SELECT customer_id FROM customers ORDER BY customer_id")
    revisions = some("SELECT revision FROM events WHERE revision < (SELECT max(revision) FROM events)")
    entries = some("SELECT sequence FROM audit_entries WHERE partner_id IS NOT NULL")
    enabling = some("SELECT sequence FROM audit_entries WHERE verification_code_enabled = 1")
    partners = some("SELECT partner_id FROM partners ORDER BY partner_id")
    return [
        *(one for place, other in pairwise(customers) for one in customer_forgeries(place, other)),
        *(one for place in partners for one in partner_forgeries(place)),
        *(one for place in revisions for cover in (leave, recompute_all) for one in event_forgeries(place, cover)),
        *(one for place in revisions for one in gap_forgeries(place)),
        *(one for place in entries for cover in (leave, recompute_all) for one in entry_forgeries(place, cover)),
        *(one for place in enabling for one in odd_value_forgeries(place)),
        *head_forgeries(),
        *tree_forgeries(),
    ]


def _swap_trees(name: str, other: str, connection: sqlite3.Connection) -> None:
    rows = connection.execute("SELECT name, rootpage FROM sqlite_schema WHERE name IN (?, ?)", (name, other)).fetchall()
    pages = dict(rows)
    connection.execute("PRAGMA writable_schema = ON")
    for one, page in ((name, pages[other]), (other, pages[name])):
        run("UPDATE sqlite_schema SET rootpage = ? WHERE name = ?", (page, one), connection)


def _swap_events(revision: int, connection: sqlite3.Connection) -> None:
    for now, then in ((revision, -1), (revision + 1, revision), (-1, revision + 1)):
        run("UPDATE events SET revision = ? WHERE revision = ?", (then, now), connection)


def _leave_out(revision: int, connection: sqlite3.Connection) -> None:
    """Closes the gap: all later events have the revision before theirs."""
    run("DELETE FROM events WHERE revision = ?", (revision,), connection)
    connection.execute("UPDATE events SET revision = -revision WHERE revision > ?", (revision,))
    connection.execute("UPDATE events SET revision = -revision - 1 WHERE revision < 0")


def _recompute_and_jump(connection: sqlite3.Connection) -> None:
    recompute_all(connection)
    run("UPDATE head SET revision = revision + 1000000000", (), connection)
