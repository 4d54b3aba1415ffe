"""Replays the history of customers and partners, and compares the result with the rows of a database."""

from collections.abc import Iterator
from itertools import groupby

from frostgate_server.domain.customer import Customer, FreezeEvent, replay_event
from frostgate_server.domain.enums import FreezeEventAction
from frostgate_server.domain.partner import Partner
from frostgate_server.storage.backend import DatabaseInconsistent
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.row_mapping import (
    CUSTOMER_COLUMNS,
    EVENT_COLUMNS,
    PARTNER_COLUMNS,
    Row,
    read_customer_row,
    read_event_row,
    read_partner_row,
)

_EVENTS_BY_CUSTOMER = f"SELECT {EVENT_COLUMNS} FROM events ORDER BY customer_id, revision"
_PARTNERS = f"SELECT {PARTNER_COLUMNS} FROM partners ORDER BY partner_id"
_CUSTOMERS = f"SELECT {CUSTOMER_COLUMNS} FROM customers ORDER BY customer_id"


def verify_customers(connection: sqlite3.Connection, partners: dict[str, Partner]) -> int:
    """Verifies that every customer matches its replayed events. Returns the count. Adds new partners to `partners`."""
    rows = map(read_customer_row, connection.execute(_CUSTOMERS))
    row = next(rows, None)
    count = 0
    for customer_id, events in _histories(connection):
        made = None
        for event in events:
            made = _replayed(made, event)
            if event.action is FreezeEventAction.ASSOCIATED:
                partners.setdefault(event.partner_id, Partner(event.partner_id))
        if made is None:
            continue
        _ensure_same(made, row, customer_id)
        row, count = next(rows, None), count + 1
    if row is not None:
        raise DatabaseInconsistent(f"customer {row.customer_id}: it has no events")
    return count


def verify_partners(connection: sqlite3.Connection, made: dict[str, Partner]) -> None:
    """Verifies that every partner matches the audit log and the events of its customers."""
    found = {partner.partner_id: partner for partner in map(read_partner_row, connection.execute(_PARTNERS))}
    for partner_id in sorted({*found, *made}):
        if found.get(partner_id) != made.get(partner_id):
            raise DatabaseInconsistent(
                f"partner {partner_id}: it does not match the audit log and the events of its customers"
            )


def _histories(connection: sqlite3.Connection) -> Iterator[tuple[str, Iterator[FreezeEvent]]]:
    events: Iterator[Row] = connection.execute(_EVENTS_BY_CUSTOMER)
    return groupby(map(read_event_row, events), key=lambda event: event.customer_id)


def _replayed(made: Customer | None, event: FreezeEvent) -> Customer | None:
    try:
        return replay_event(made, event)
    except ValueError as error:
        raise DatabaseInconsistent(f"event {event.revision}: {error}") from error


def _ensure_same(made: Customer, row: Customer | None, customer_id: str) -> None:
    if row is None or row.customer_id > customer_id:
        raise DatabaseInconsistent(f"customer {customer_id}: its row is missing, although its last event requires one")
    if row.customer_id < customer_id:
        raise DatabaseInconsistent(f"customer {row.customer_id}: it has no events")
    for field in Customer.__slots__:
        if getattr(row, field) != getattr(made, field):
            raise DatabaseInconsistent(f"customer {customer_id}: its {field} does not match its events")
