"""Customers that a server adds over the wire, so that its database is made by its own build."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.fill import ID_FORMAT, STATES
from benchmarks.servers import Running, channel
from frostgate.v1.customer_freeze_service_pb2 import (
    AssociateCustomerRequest,
    FreezeCustomerRequest,
    UnfreezeCustomerRequest,
)
from frostgate.v1.customer_freeze_service_pb2_grpc import CustomerFreezeServiceStub
from frostgate.v1.policy_pb2 import FreezeScope
from support.processes import PATIENCE

_AT_ONCE = 32
_PARTNERS = 100


def add_customers(server: Running, customers: int) -> None:
    """Adds customers with the ids and states of fill.filled_database. Raises grpc.RpcError."""
    with channel(server) as connection, ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(partial(_add, CustomerFreezeServiceStub(connection)), range(customers)))


def _add(service: CustomerFreezeServiceStub, number: int) -> None:
    customer_id = ID_FORMAT % number
    partner_id = f"partner-{number % _PARTNERS:02d}"
    associate = AssociateCustomerRequest(customer_id=customer_id, partner_id=partner_id)
    service.AssociateCustomer(associate, timeout=PATIENCE)
    if number % STATES == 0:
        scope = FreezeScope.FREEZE_SCOPE_ACCOUNT
        unfreeze = UnfreezeCustomerRequest(customer_id=customer_id, scope=scope, reason="Debts are paid")
        service.UnfreezeCustomer(unfreeze, timeout=PATIENCE)
    elif number % STATES == 2:
        scope = FreezeScope.FREEZE_SCOPE_ACCOUNT_AND_RESOURCES
        freeze = FreezeCustomerRequest(customer_id=customer_id, scope=scope, reason="Payment is overdue")
        service.FreezeCustomer(freeze, timeout=PATIENCE)
