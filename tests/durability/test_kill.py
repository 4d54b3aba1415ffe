"""What was answered OK is there after kill -9, and nothing is half done.

Many times on one database: clients send a stream of changes, the server is killed amid it and started again, and all
that was ever answered is looked for.
"""

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from durability.changing_clients import SEED, Change, Client, Life
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.customer_freeze_service_pb2_grpc import CustomerFreezeServiceStub
from frostgate.v1.customer_pb2 import Customer, FreezeEvent
from frostgate_server.domain.enums import FreezeState
from frostgate_server.storage.sqlite.driver import sqlite3
from support.processes import PATIENCE
from support.runner.sizes import size
from support.server_process import ServerProcess

KILLS = size(short=9, long=100)


CLIENTS = 4


MOST_ANSWERS_IN_A_LIFE = 150
"""Enough for SQLite to fold its log into the database within some lives: it does so every 1,000 pages."""


@pytest.mark.long
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    clients = [Client(f"client-{number}") for number in range(CLIENTS)]
    unanswered: list[Change] = []
    made = 0
    for _ in range(KILLS):
        with ServerProcess(tmp_path / "frostgate.db") as server:
            made += verify_and_repeat(server.freezes, clients)
            kill_amid_changes(server, clients, chance)
        unanswered += [change for client in clients for change in client.unanswered()]
    with ServerProcess(tmp_path / "frostgate.db") as server:
        made += verify_and_repeat(server.freezes, clients)
        assert server.stop() == 0
    print(
        f"{sum(len(client.changes) for client in clients)} changes, {len(unanswered)} unanswered, {made} of them made"
    )
    assert 0 < made < len(unanswered), "no kill came between a change and its answer, or none came before the change"
    assert_sound(tmp_path / "frostgate.db")


def kill_amid_changes(server: ServerProcess, clients: list[Client], chance: random.Random) -> None:
    """Lets all clients send changes, and kills the server at some moment."""
    answers = chance.randint(1, MOST_ANSWERS_IN_A_LIFE)
    life = Life(server, answers, at_once=chance.random() < 0.3)
    with ThreadPoolExecutor(CLIENTS) as threads:
        streams = [threads.submit(client.stream, server.freezes, life) for client in clients]
        enough = life.end()
        for stream in streams:
            stream.result()
    server.kill()
    assert enough, f"{answers} answers did not come within {PATIENCE} s"


def verify_and_repeat(freezes: CustomerFreezeServiceStub, clients: list[Client]) -> int:
    """Looks for all that was ever answered, and repeats what was not. Tells how much of that had been made."""
    unanswered = [change for client in clients for change in client.unanswered()]
    events = all_events(freezes)
    verify(freezes, events, clients)
    for change in unanswered:
        change.send(freezes)
    verify(freezes, all_events(freezes), clients)
    return sum(change.revision is not None and change.revision <= len(events) for change in unanswered)


def verify(freezes: CustomerFreezeServiceStub, events: list[FreezeEvent], clients: list[Client]) -> None:
    """Every change is made as a whole or not at all, those that were answered are made, and nothing else is."""
    assert [event.revision for event in events] == list(range(1, len(events) + 1))
    events_of = defaultdict(list)
    for event in events:
        events_of[event.request_id].append(event)
    for client in clients:
        revisions = [
            verified_revision(change, events_of.pop(change.request.request_id, [])) for change in client.changes
        ]
        made = [revision for revision in revisions if revision is not None]
        assert made == sorted(made), "a client sent its changes in another order"
    assert not events_of, "nobody asked for these"
    newest = {event.customer_id: event for event in events}
    for customer_id in (customer_id for client in clients for customer_id in client.customer_ids):
        verify_customer(customer_or_none(freezes, customer_id), newest.pop(customer_id, None))
    assert not newest, "nobody asked for these customers"


def verified_revision(change: Change, events: list[FreezeEvent]) -> int | None:
    """The revision that a change made, if it is made: it has to be if it was answered."""
    if not events:
        assert change.revision is None, f"{change} was answered, but is lost"
        return None
    assert len(events) == len(change.states)
    assert {event.customer_id: FreezeState(event.state_after) for event in events} == change.states
    assert change.revision in {None, events[-1].revision}
    return events[-1].revision


def verify_customer(customer: Customer | None, newest: FreezeEvent | None) -> None:
    """The customer is as its newest event left it."""
    assert (customer is None) == (newest is None)
    if customer is not None and newest is not None:
        assert (customer.freeze_state, customer.revision) == (newest.state_after, newest.revision)


def customer_or_none(freezes: CustomerFreezeServiceStub, customer_id: str) -> Customer | None:
    """The customer, or None if it is unknown."""
    try:
        return freezes.GetCustomer(pb.GetCustomerRequest(customer_id=customer_id), timeout=PATIENCE).customer
    except grpc.RpcError as error:
        call: Any = error
        if call.code() is grpc.StatusCode.NOT_FOUND:
            return None
        raise


def all_events(freezes: CustomerFreezeServiceStub) -> list[FreezeEvent]:
    """The whole history, the oldest first."""
    request = pb.ListFreezeEventsRequest(page_size=1000)
    events: list[FreezeEvent] = []
    while True:
        page = freezes.ListFreezeEvents(request, timeout=PATIENCE)
        events += page.events
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return events[::-1]


def assert_sound(database: Path) -> None:
    """SQLite finds nothing wrong in the file."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
