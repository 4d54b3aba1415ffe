"""What was answered OK is there after kill -9, and nothing is half done.

Many times on one database: clients send a stream of changes, the server is killed amid it and started again, and all
that was ever answered is looked for.
"""

import random
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.customer_freeze_service_pb2_grpc import CustomerFreezeServiceStub
from frostgate.v1.customer_pb2 import Customer, FreezeEvent
from frostgate_server.domain.enums import FreezeScope, FreezeState
from frostgate_server.rpc.converters import wire
from frostgate_server.storage.sqlite.driver import sqlite3
from support.processes import PATIENCE
from support.server_process import ServerProcess
from support.sizes import size

SEED = 20250611
KILLS = size(short=12, long=300)
CLIENTS = 4
CUSTOMERS_OF_EACH = 8
MOST_ANSWERS_IN_A_LIFE = 150
"""Enough for SQLite to fold its log into the database within some lives: it does so every 1,000 pages."""

STATE_FROZEN_BY = {
    FreezeScope.ACCOUNT: FreezeState.ACCOUNT_FROZEN,
    FreezeScope.ACCOUNT_AND_RESOURCES: FreezeState.ACCOUNT_AND_RESOURCES_FROZEN,
}
SCOPE_FROZEN_IN = {state: scope for scope, state in STATE_FROZEN_BY.items()}

States = dict[str, FreezeState]
Request = (
    pb.AssociateCustomerRequest | pb.FreezeCustomerRequest | pb.UnfreezeCustomerRequest | pb.BatchFreezeCustomersRequest
)


@dataclass(slots=True)
class Change:
    """A change that was sent, and the states it brings. `revision` is that of its OK; None while it has none."""

    request: Request
    states: States
    revision: int | None = None

    def send(self, freezes: CustomerFreezeServiceStub) -> None:
        """Sends it, or sends it again. Raises grpc.RpcError if it is not answered OK."""
        revision, customers = answer(freezes, self.request)
        assert {customer.customer_id: FreezeState(customer.freeze_state) for customer in customers} == self.states
        assert self.revision in {None, revision}
        self.revision = revision


class Life:
    """One life of the server, which ends when enough changes are answered.

    The thread that gets the last answer kills `at_once`: what the server left to be done after its answer stays undone.
    Otherwise the main thread does, once it wakes: by then other changes are well under way.
    """

    def __init__(self, server: ServerProcess, answers: int, *, at_once: bool) -> None:
        """It lasts for so many answers."""
        self.over = threading.Event()
        self._server = server
        self._missing = answers
        self._at_once = at_once
        self._enough = threading.Event()
        self._counting = threading.Lock()

    def answered(self) -> None:
        """Counts an answer."""
        with self._counting:
            self._missing -= 1
            if self._missing == 0:
                if self._at_once:
                    self._kill()
                self._enough.set()

    def end(self) -> bool:
        """Waits for the last answer, and sees to it that the server is killed. Tells whether the answer came."""
        enough = self._enough.wait(PATIENCE)
        self._kill()
        return enough

    def _kill(self) -> None:
        self.over.set()
        self._server.crash()


class Client:
    """Changes customers of its own, `customer_ids`, one after the other. `changes` are all it ever sent."""

    def __init__(self, name: str) -> None:
        """Knows of no customers yet."""
        self.changes: list[Change] = []
        self._chance = random.Random(f"{SEED} {name}")
        self.customer_ids = [f"{name}-{number}" for number in range(CUSTOMERS_OF_EACH)]
        self._states: States = {}

    def stream(self, freezes: CustomerFreezeServiceStub, life: Life) -> None:
        """Sends changes as long as the server lives. Only the last one may go without an answer."""
        while not life.over.is_set():
            change = self._next()
            self.changes.append(change)
            self._states |= change.states
            try:
                change.send(freezes)
            except grpc.RpcError:
                if life.over.is_set():
                    return
                raise
            life.answered()

    def unanswered(self) -> list[Change]:
        """What was sent last, if it has no answer."""
        return [change for change in self.changes[-1:] if change.revision is None]

    def _next(self) -> Change:
        """A change that is allowed once all before it are made."""
        request_id = str(UUID(int=self._chance.getrandbits(128)))
        frozen_less = [c for c, state in self._states.items() if state is not FreezeState.ACCOUNT_AND_RESOURCES_FROZEN]
        if len(frozen_less) > 2 and self._chance.random() < 0.1:
            return batch_freezing(frozen_less, request_id)
        customer_id = self._chance.choice(self.customer_ids)
        state = self._states.get(customer_id)
        if state is None:
            return associating(customer_id, request_id)
        if state is FreezeState.NORMAL:
            return freezing(customer_id, self._chance.choice(list(FreezeScope)), request_id)
        return unfreezing(customer_id, SCOPE_FROZEN_IN[state], request_id)


def associating(customer_id: str, request_id: str) -> Change:
    """The association of a customer."""
    request = pb.AssociateCustomerRequest(customer_id=customer_id, partner_id="partner", request_id=request_id)
    return Change(request, {customer_id: FreezeState.ACCOUNT_FROZEN})


def freezing(customer_id: str, scope: FreezeScope, request_id: str) -> Change:
    """A freeze of one customer."""
    request = pb.FreezeCustomerRequest(
        customer_id=customer_id, scope=wire(scope), reason="unpaid", request_id=request_id
    )
    return Change(request, {customer_id: STATE_FROZEN_BY[scope]})


def unfreezing(customer_id: str, scope: FreezeScope, request_id: str) -> Change:
    """The unfreezing of one customer."""
    request = pb.UnfreezeCustomerRequest(
        customer_id=customer_id, scope=wire(scope), reason="paid", request_id=request_id
    )
    return Change(request, {customer_id: FreezeState.NORMAL})


def batch_freezing(customer_ids: list[str], request_id: str) -> Change:
    """A freeze of many customers, resources and all."""
    scope = FreezeScope.ACCOUNT_AND_RESOURCES
    request = pb.BatchFreezeCustomersRequest(
        customer_ids=customer_ids, scope=wire(scope), reason="unpaid", request_id=request_id
    )
    return Change(request, dict.fromkeys(customer_ids, STATE_FROZEN_BY[scope]))


def answer(freezes: CustomerFreezeServiceStub, request: Request) -> tuple[int, list[Customer]]:
    """The revision and the customers that a change is answered with."""
    match request:
        case pb.AssociateCustomerRequest():
            associated = freezes.AssociateCustomer(request, timeout=PATIENCE)
            return associated.revision, [associated.customer]
        case pb.FreezeCustomerRequest():
            frozen = freezes.FreezeCustomer(request, timeout=PATIENCE)
            return frozen.revision, [frozen.customer]
        case pb.UnfreezeCustomerRequest():
            unfrozen = freezes.UnfreezeCustomer(request, timeout=PATIENCE)
            return unfrozen.revision, [unfrozen.customer]
        case pb.BatchFreezeCustomersRequest():
            batch = freezes.BatchFreezeCustomers(request, timeout=PATIENCE)
            return batch.revision, [result.customer for result in batch.results]


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
