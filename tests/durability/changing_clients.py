"""Clients that change customers, and remember what was answered."""

import random
import threading
from dataclasses import dataclass
from uuid import UUID

import grpc
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.customer_freeze_service_pb2_grpc import CustomerFreezeServiceStub
from frostgate.v1.customer_pb2 import Customer
from frostgate_server.domain.enums import FreezeScope, FreezeState
from frostgate_server.rpc.messages.converters import wire
from support.processes import PATIENCE
from support.server_process import ServerProcess

SEED = 20250611


CUSTOMERS_OF_EACH = 8


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
