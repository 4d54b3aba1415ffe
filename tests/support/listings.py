"""Reads listings of a store to their end, and makes stores with a long history."""

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.enums import FreezeEventAction, FreezeState
from frostgate_server.storage.interface import Store
from frostgate_server.storage.queries import CustomerFilter, EventFilter, Page
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.row_mapping import (
    CUSTOMER_COLUMNS,
    EVENT_COLUMNS,
    make_customer_row,
    make_event_row,
)

EVERY_EVENT = EventFilter()
START = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of the first event that this module makes."""


def still_wanted() -> bool:
    """The caller still waits for the page."""
    return True


def event_pages(store: Store, wanted: EventFilter = EVERY_EVENT, page_size: int = 1000) -> list[Page[FreezeEvent, int]]:
    """All pages of a listing of events, the newest first."""
    pages = [store.list_events(wanted, None, page_size, still_wanted)]
    while (last := pages[-1].last_key) is not None:
        pages.append(store.list_events(wanted, last, page_size, still_wanted))
    return pages


def all_events(store: Store, wanted: EventFilter = EVERY_EVENT) -> list[FreezeEvent]:
    """All events of a listing, the newest first."""
    return [event for page in event_pages(store, wanted) for event in page.items]


def customer_pages(store: Store, wanted: CustomerFilter, page_size: int) -> list[Page[Customer, str]]:
    """All pages of a listing of customers, by id."""
    pages = [store.list_customers(wanted, "", page_size, still_wanted)]
    while (last := pages[-1].last_key) is not None:
        pages.append(store.list_customers(wanted, last, page_size, still_wanted))
    return pages


def make_event(revision: int, customer_id: str, partner_id: str, minutes: int) -> FreezeEvent:
    """An event, `minutes` after START."""
    return FreezeEvent(
        revision=revision,
        customer_id=customer_id,
        partner_id=partner_id,
        action=FreezeEventAction.ASSOCIATED,
        scope=None,
        state_before=None,
        state_after=FreezeState.ACCOUNT_FROZEN,
        reason="listed",
        actor="test",
        request_id="",
        event_time=START + timedelta(minutes=minutes),
        retention_expire_time=None,
    )


def make_customer(number: int, partner_id: str, state: FreezeState, expires: datetime | None = None) -> Customer:
    """A customer in a state. The ids are in the order of their numbers."""
    return Customer(
        customer_id=f"c{number:06}",
        partner_id=partner_id,
        freeze_state=state,
        freeze_reason="listed",
        freeze_time=START,
        retention_expire_time=expires,
        associate_time=START,
        update_time=START,
        revision=number + 1,
    )


def insert(path: Path, events: Iterable[FreezeEvent], customers: Iterable[Customer]) -> None:
    """Writes events and customers into the database of an open store, as rows.

    The events have no hashes, so the database cannot be opened again.
    """
    with closing(sqlite3.connect(path)) as connection, connection:
        sql = f"INSERT INTO events ({EVENT_COLUMNS}, hash) VALUES ({', '.join('?' * 12)}, '')"
        connection.executemany(sql, map(make_event_row, events))
        sql = f"INSERT INTO customers ({CUSTOMER_COLUMNS}) VALUES ({', '.join('?' * 10)})"
        connection.executemany(sql, map(make_customer_row, customers))
