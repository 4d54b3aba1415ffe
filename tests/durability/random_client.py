"""A client that makes random changes, one after the other, and keeps the states that the answers promise."""

import random
from dataclasses import dataclass, field
from uuid import UUID

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.customer_freeze_service_pb2_grpc import CustomerFreezeServiceStub
from frostgate.v1.customer_pb2 import Customer
from frostgate_server.domain.enums import FreezeScope, FreezeState
from frostgate_server.rpc.messages.converters import wire
from support.processes import PATIENCE

LARGEST_BATCH = 60

States = dict[str, FreezeState | None]


@dataclass(slots=True)
class Client:
    """Makes one change after the other, each allowed, and knows what the answers promise."""

    freezes: CustomerFreezeServiceStub
    random: random.Random
    states: States = field(default_factory=dict)

    def change(self) -> int:
        """Makes a change. Gives the revision that was answered."""
        known = [customer_id for customer_id, state in self.states.items() if state is not None]
        ways = [self._associate, self._freeze_or_unfreeze, self._batch_freeze, self._disassociate]
        (way,) = self.random.choices(ways, [5, 10, 3, 2] if len(known) > 10 else [1, 0, 0, 0])
        return way(known)

    def _associate(self, _: list[str]) -> int:
        request = pb.AssociateCustomerRequest(
            customer_id=f"customer-{len(self.states)}", partner_id="partner", request_id=self._request_id()
        )
        response = self.freezes.AssociateCustomer(request, timeout=PATIENCE)
        return self._changed(response.customer, response.revision)

    def _freeze_or_unfreeze(self, known: list[str]) -> int:
        customer_id = self.random.choice(known)
        if self.states[customer_id] is FreezeState.NORMAL:
            return self._freeze(customer_id)
        return self._unfreeze(customer_id, self.states[customer_id])

    def _freeze(self, customer_id: str) -> int:
        scope = self.random.choice(list(FreezeScope))
        request = pb.FreezeCustomerRequest(
            customer_id=customer_id, scope=wire(scope), reason="unpaid", request_id=self._request_id()
        )
        response = self.freezes.FreezeCustomer(request, timeout=PATIENCE)
        return self._changed(response.customer, response.revision)

    def _unfreeze(self, customer_id: str, state: FreezeState | None) -> int:
        account_only = state is FreezeState.ACCOUNT_FROZEN
        scope = FreezeScope.ACCOUNT if account_only else FreezeScope.ACCOUNT_AND_RESOURCES
        request = pb.UnfreezeCustomerRequest(
            customer_id=customer_id, scope=wire(scope), reason="paid", request_id=self._request_id()
        )
        response = self.freezes.UnfreezeCustomer(request, timeout=PATIENCE)
        return self._changed(response.customer, response.revision)

    def _batch_freeze(self, known: list[str]) -> int:
        request = pb.BatchFreezeCustomersRequest(
            customer_ids=self.random.sample(known, min(LARGEST_BATCH, len(known))),
            scope=wire(self.random.choice(list(FreezeScope))),
            reason="unpaid",
            request_id=self._request_id(),
        )
        response = self.freezes.BatchFreezeCustomers(request, timeout=PATIENCE)
        for result in response.results:
            if result.HasField("customer"):
                self._changed(result.customer, response.revision)
        return response.revision

    def _disassociate(self, known: list[str]) -> int:
        request = pb.DisassociateCustomerRequest(
            customer_id=self.random.choice(known), reason="gone", request_id=self._request_id()
        )
        revision = self.freezes.DisassociateCustomer(request, timeout=PATIENCE).revision
        self.states[request.customer_id] = None
        return revision

    def _changed(self, customer: Customer, revision: int) -> int:
        self.states[customer.customer_id] = FreezeState(customer.freeze_state)
        return revision

    def _request_id(self) -> str:
        return str(UUID(int=self.random.getrandbits(128)))
