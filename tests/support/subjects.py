"""The subjects of the store contract: the services on a store, and a server over the wire."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import grpc
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.customer_pb2 import Customer as CustomerMessage
from frostgate.v1.customer_pb2 import FreezeEvent as EventMessage
from frostgate.v1.policy_decision_service_pb2 import BatchCheckOperationsRequest, CheckOperationRequest
from frostgate.v1.policy_pb2 import BILLING_MODE_SPOT, OPERATION_VIEW
from frostgate_server.domain import errors
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.customer_errors import AlreadyFrozen, CustomerNotFound
from frostgate_server.domain.enums import FreezeEventAction, FreezeScope, FreezeState
from frostgate_server.domain.verification_code import CodeKey, CodeLimits
from frostgate_server.rpc.messages.converters import timestamp, wire
from frostgate_server.services.code_verifier import CodeVerifier
from frostgate_server.services.commands import (
    AssociateCommand,
    BatchFreezeCommand,
    ChangeCommand,
    DisassociateCommand,
    FreezeCommand,
    UnfreezeCommand,
)
from frostgate_server.services.customer_queries import CustomerListing, CustomerQueries, EventListing
from frostgate_server.services.customer_service import CustomerService
from frostgate_server.services.decision_service import DecisionService
from frostgate_server.storage.interface import Store
from frostgate_server.storage.queries import EventFilter
from google.protobuf.timestamp_pb2 import Timestamp
from support.processes import PATIENCE
from support.server_process import ServerProcess
from support.statuses import error_info, status_of

RETENTION = timedelta(days=15)


class NoRefusals:
    """A recorder that drops refusals."""

    def record(self, *_: object) -> None:
        """Does nothing."""


def freeze_service(store: Store, retention_period: timedelta) -> CustomerService:
    """The use cases on a store, with a fixed key for codes."""
    return CustomerService(store, CodeVerifier(store, CodeKey(b"k" * 32), CodeLimits()), NoRefusals(), retention_period)


class ServiceSubject:
    """The use cases, called directly on a store."""

    def __init__(self, store: Store) -> None:
        """Takes the store to be tested."""
        self._service = freeze_service(store, RETENTION)
        self._queries = CustomerQueries(store)
        self._decisions = DecisionService(store)
        self._caller = Caller(waits=lambda: True)

    def associate(self, customer_id: str, partner_id: str) -> int:
        return self._change(AssociateCommand(customer_ids=(customer_id,), partner_id=partner_id))

    def disassociate(self, customer_id: str) -> int:
        return self._change(DisassociateCommand(customer_ids=(customer_id,), reason="gone"))

    def freeze(self, customer_id: str, scope: FreezeScope) -> int:
        return self._change(FreezeCommand(customer_ids=(customer_id,), scope=scope, reason="unpaid"))

    def unfreeze(self, customer_id: str, scope: FreezeScope) -> int:
        return self._change(UnfreezeCommand(customer_ids=(customer_id,), scope=scope, reason="paid"))

    def freeze_all(self, customer_ids: list[str], scope: FreezeScope) -> int:
        command = BatchFreezeCommand(customer_ids=tuple(customer_ids), scope=scope, reason="unpaid")
        return self._service.change_customers(self._caller, command).result().revision

    def state(self, customer_id: str) -> tuple[FreezeState | None, int]:
        (state,), revision = self._decisions.read_group([customer_id])
        return state, revision

    def states(self, customer_ids: list[str]) -> tuple[list[FreezeState | None], int]:
        states, revision = self._decisions.read_states(customer_ids, 0)
        for state in states:
            if isinstance(state, errors.StorageUnavailable):
                raise state
        return [state for state in states if not isinstance(state, errors.StorageUnavailable)], revision

    def customer(self, customer_id: str) -> Customer:
        return self._queries.get_customer(self._caller, customer_id)

    def customers(
        self, partner_id: str, freeze_state: FreezeState | None, retention_expired: bool | None, page_size: int
    ) -> list[Customer]:
        listing = CustomerListing(partner_id, freeze_state, retention_expired, page_size)
        found, token = self._queries.list_customers(self._caller, listing)
        while token:
            more, token = self._queries.list_customers(self._caller, replace(listing, page_token=token))
            found += more
        return found

    def events(self, wanted: EventFilter, page_size: int) -> list[FreezeEvent]:
        found, token = self._queries.list_events(self._caller, EventListing(wanted, page_size))
        while token:
            more, token = self._queries.list_events(self._caller, EventListing(wanted, page_size, token))
            found += more
        return found

    def _change(self, command: ChangeCommand) -> int:
        return self._service.change_customer(self._caller, command).result().revision


class WireSubject:
    """The same over gRPC, with statuses turned into errors again."""

    def __init__(self, server: ServerProcess) -> None:
        """Takes the server to be tested."""
        self._freezes = server.freezes
        self._decisions = server.decisions

    def associate(self, customer_id: str, partner_id: str) -> int:
        request = pb.AssociateCustomerRequest(customer_id=customer_id, partner_id=partner_id)
        return self._freezes.AssociateCustomer(request, timeout=PATIENCE).revision

    def disassociate(self, customer_id: str) -> int:
        request = pb.DisassociateCustomerRequest(customer_id=customer_id, reason="gone")
        return self._freezes.DisassociateCustomer(request, timeout=PATIENCE).revision

    def freeze(self, customer_id: str, scope: FreezeScope) -> int:
        request = pb.FreezeCustomerRequest(customer_id=customer_id, scope=wire(scope), reason="unpaid")
        try:
            return self._freezes.FreezeCustomer(request, timeout=PATIENCE).revision
        except grpc.RpcError as error:
            raise domain_error(error) from error

    def unfreeze(self, customer_id: str, scope: FreezeScope) -> int:
        request = pb.UnfreezeCustomerRequest(customer_id=customer_id, scope=wire(scope), reason="paid")
        return self._freezes.UnfreezeCustomer(request, timeout=PATIENCE).revision

    def freeze_all(self, customer_ids: list[str], scope: FreezeScope) -> int:
        request = pb.BatchFreezeCustomersRequest(customer_ids=customer_ids, scope=wire(scope), reason="unpaid")
        return self._freezes.BatchFreezeCustomers(request, timeout=PATIENCE).revision

    def state(self, customer_id: str) -> tuple[FreezeState | None, int]:
        response = self._decisions.CheckOperation(_view(customer_id), timeout=PATIENCE)
        return FreezeState(response.freeze_state) if response.HasField("freeze_state") else None, response.revision

    def states(self, customer_ids: list[str]) -> tuple[list[FreezeState | None], int]:
        request = BatchCheckOperationsRequest(checks=map(_view, customer_ids))
        batch = self._decisions.BatchCheckOperations(request, timeout=PATIENCE)
        answers = [result.response for result in batch.results]
        states = [FreezeState(answer.freeze_state) if answer.HasField("freeze_state") else None for answer in answers]
        assert {answer.revision for answer in answers} == {batch.revision}
        return states, batch.revision

    def customer(self, customer_id: str) -> Customer:
        try:
            found = self._freezes.GetCustomer(pb.GetCustomerRequest(customer_id=customer_id), timeout=PATIENCE)
        except grpc.RpcError as error:
            raise domain_error(error) from error
        return customer_of(found.customer)

    def customers(
        self, partner_id: str, freeze_state: FreezeState | None, retention_expired: bool | None, page_size: int
    ) -> list[Customer]:
        request = pb.ListCustomersRequest(
            partner_id=partner_id,
            freeze_state=wire(freeze_state),
            retention_expired=retention_expired,
            page_size=page_size,
        )
        page = self._freezes.ListCustomers(request, timeout=PATIENCE)
        found = list(map(customer_of, page.customers))
        while page.next_page_token:
            request.page_token = page.next_page_token
            page = self._freezes.ListCustomers(request, timeout=PATIENCE)
            found += map(customer_of, page.customers)
        return found

    def events(self, wanted: EventFilter, page_size: int) -> list[FreezeEvent]:
        request = pb.ListFreezeEventsRequest(
            customer_id=wanted.customer_id,
            partner_id=wanted.partner_ids[0] if wanted.partner_ids else None,
            after_revision=wanted.after_revision,
            start_time=timestamp(wanted.start_time),
            end_time=timestamp(wanted.end_time),
            page_size=page_size,
        )
        page = self._freezes.ListFreezeEvents(request, timeout=PATIENCE)
        found = list(map(event_of, page.events))
        while page.next_page_token:
            request.page_token = page.next_page_token
            page = self._freezes.ListFreezeEvents(request, timeout=PATIENCE)
            found += map(event_of, page.events)
        return found


def domain_error(error: grpc.RpcError) -> errors.FrostgateError:
    """The error that the server raised."""
    info = error_info(status_of(error)[1])
    kinds = {kind.reason: kind for kind in (CustomerNotFound, AlreadyFrozen)}
    return kinds[info.reason](**info.metadata)


def customer_of(message: CustomerMessage) -> Customer:
    """A customer from the wire."""
    customer = Customer(
        customer_id=message.customer_id,
        partner_id=message.partner_id,
        freeze_state=FreezeState(message.freeze_state),
        freeze_reason=message.freeze_reason if message.HasField("freeze_reason") else None,
        freeze_time=_time(message.freeze_time) if message.HasField("freeze_time") else None,
        retention_expire_time=(
            _time(message.retention_expire_time) if message.HasField("retention_expire_time") else None
        ),
        associate_time=_time(message.associate_time),
        update_time=_time(message.update_time),
        revision=message.revision,
    )
    assert customer.fees_accrue == message.fees_accrue
    return customer


def event_of(message: EventMessage) -> FreezeEvent:
    """An event from the wire."""
    return FreezeEvent(
        revision=message.revision,
        customer_id=message.customer_id,
        partner_id=message.partner_id,
        action=FreezeEventAction(message.action),
        scope=FreezeScope(message.scope) if message.HasField("scope") else None,
        state_before=FreezeState(message.state_before) if message.HasField("state_before") else None,
        state_after=FreezeState(message.state_after) if message.HasField("state_after") else None,
        reason=message.reason,
        actor=message.actor,
        request_id=message.request_id,
        event_time=_time(message.event_time),
    )


def _view(customer_id: str) -> CheckOperationRequest:
    return CheckOperationRequest(customer_id=customer_id, operation=OPERATION_VIEW, billing_mode=BILLING_MODE_SPOT)


def _time(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)
