"""CustomerFreezeService on the wire: each method parses its request, calls a use case and converts the result."""

from concurrent.futures import Future

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.customer_pb2 import Customer

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.domain.errors import FrostgateError
from frostgate_server.domain.partner import Partner
from frostgate_server.services.customer_queries import CustomerQueries
from frostgate_server.services.customer_service import CustomerService
from frostgate_server.services.futures import convert
from frostgate_server.services.partner_service import PartnerService
from frostgate_server.services.stored_responses import BatchChangeResult, ChangeResult

from .messages import request_parsing as parsing
from .messages.converters import customer_message, event_message, partner_message, timestamp
from .status_mapping import to_status

_FROZEN_MESSAGES = {
    FreezeScope.ACCOUNT: "The account is frozen.",
    FreezeScope.ACCOUNT_AND_RESOURCES: "The account and resources are frozen.",
}
_UNFROZEN_MESSAGES = {
    FreezeScope.ACCOUNT: "The account is unfrozen.",
    FreezeScope.ACCOUNT_AND_RESOURCES: "The account and resources are unfrozen.",
}


class CustomerFreezeServicer:
    """Changes and reads customers and partners. Each method has the name of its RPC and may raise FrostgateError.

    The methods that change something return a future of the response and do not wait. The future may fail with
    FrostgateError.
    """

    def __init__(self, service: CustomerService, queries: CustomerQueries, partners: PartnerService) -> None:
        """Takes the use cases."""
        self._service = service
        self._queries = queries
        self._partners = partners

    def AssociateCustomer(
        self, caller: Caller, request: pb.AssociateCustomerRequest
    ) -> Future[pb.AssociateCustomerResponse]:
        return convert(self._service.change_customer(caller, parsing.parse_associate(request)), _associate_response)

    def DisassociateCustomer(
        self, caller: Caller, request: pb.DisassociateCustomerRequest
    ) -> Future[pb.DisassociateCustomerResponse]:
        changed = self._service.change_customer(caller, parsing.parse_disassociate(request))
        return convert(changed, _disassociate_response)

    def FreezeCustomer(self, caller: Caller, request: pb.FreezeCustomerRequest) -> Future[pb.FreezeCustomerResponse]:
        command = parsing.parse_freeze(request)
        return convert(self._service.change_customer(caller, command), _freeze_response, command.scope)

    def UnfreezeCustomer(
        self, caller: Caller, request: pb.UnfreezeCustomerRequest
    ) -> Future[pb.UnfreezeCustomerResponse]:
        command = parsing.parse_unfreeze(request)
        return convert(self._service.change_customer(caller, command), _unfreeze_response, command.scope)

    def BatchFreezeCustomers(
        self, caller: Caller, request: pb.BatchFreezeCustomersRequest
    ) -> Future[pb.BatchFreezeCustomersResponse]:
        batch = self._service.change_customers(caller, parsing.parse_batch_freeze(request))
        return convert(batch, _batch_freeze_response)

    def BatchUnfreezeCustomers(
        self, caller: Caller, request: pb.BatchUnfreezeCustomersRequest
    ) -> Future[pb.BatchUnfreezeCustomersResponse]:
        batch = self._service.change_customers(caller, parsing.parse_batch_unfreeze(request))
        return convert(batch, _batch_unfreeze_response)

    def GetCustomer(self, caller: Caller, request: pb.GetCustomerRequest) -> pb.GetCustomerResponse:
        customer = self._queries.get_customer(caller, parsing.parse_get_customer(request))
        return pb.GetCustomerResponse(customer=customer_message(customer))

    def ListCustomers(self, caller: Caller, request: pb.ListCustomersRequest) -> pb.ListCustomersResponse:
        customers, token = self._queries.list_customers(caller, parsing.parse_list_customers(request))
        return pb.ListCustomersResponse(customers=map(customer_message, customers), next_page_token=token)

    def ListFreezeEvents(self, caller: Caller, request: pb.ListFreezeEventsRequest) -> pb.ListFreezeEventsResponse:
        events, token = self._queries.list_events(caller, parsing.parse_list_events(request))
        return pb.ListFreezeEventsResponse(events=map(event_message, events), next_page_token=token)

    def GetPartner(self, caller: Caller, request: pb.GetPartnerRequest) -> pb.GetPartnerResponse:
        partner = self._partners.get_partner(caller, parsing.parse_get_partner(request))
        return pb.GetPartnerResponse(partner=partner_message(partner))

    def UpdatePartner(self, caller: Caller, request: pb.UpdatePartnerRequest) -> Future[pb.UpdatePartnerResponse]:
        update, code = parsing.parse_update_partner(request)
        return convert(self._partners.update_partner(caller, update, code), _update_partner_response)

    def SendVerificationCode(
        self, caller: Caller, request: pb.SendVerificationCodeRequest
    ) -> pb.SendVerificationCodeResponse:
        expire_time, sent_to = self._partners.send_code(caller, parsing.parse_send_code(request))
        return pb.SendVerificationCodeResponse(expire_time=timestamp(expire_time), sent_to=sent_to)


def _associate_response(changed: ChangeResult) -> pb.AssociateCustomerResponse:
    return pb.AssociateCustomerResponse(customer=_customer(changed), revision=changed.revision)


def _disassociate_response(changed: ChangeResult) -> pb.DisassociateCustomerResponse:
    return pb.DisassociateCustomerResponse(revision=changed.revision)


def _freeze_response(changed: ChangeResult, scope: FreezeScope) -> pb.FreezeCustomerResponse:
    message = _FROZEN_MESSAGES[scope]
    return pb.FreezeCustomerResponse(customer=_customer(changed), message=message, revision=changed.revision)


def _unfreeze_response(changed: ChangeResult, scope: FreezeScope) -> pb.UnfreezeCustomerResponse:
    message = _UNFROZEN_MESSAGES[scope]
    return pb.UnfreezeCustomerResponse(customer=_customer(changed), message=message, revision=changed.revision)


def _batch_freeze_response(batch: BatchChangeResult) -> pb.BatchFreezeCustomersResponse:
    return pb.BatchFreezeCustomersResponse(results=_results(batch), revision=batch.revision)


def _batch_unfreeze_response(batch: BatchChangeResult) -> pb.BatchUnfreezeCustomersResponse:
    return pb.BatchUnfreezeCustomersResponse(results=_results(batch), revision=batch.revision)


def _update_partner_response(partner: Partner) -> pb.UpdatePartnerResponse:
    return pb.UpdatePartnerResponse(partner=partner_message(partner))


def _customer(changed: ChangeResult) -> Customer | None:
    return None if changed.customer is None else customer_message(changed.customer)


def _results(batch: BatchChangeResult) -> list[pb.BatchCustomerResult]:
    results = []
    for customer_id, outcome in batch.results:
        result = pb.BatchCustomerResult(customer_id=customer_id)
        if isinstance(outcome, FrostgateError):
            result.error.CopyFrom(to_status(outcome))
        else:
            result.customer.CopyFrom(customer_message(outcome))
        results.append(result)
    return results
