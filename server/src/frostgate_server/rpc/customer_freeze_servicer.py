"""CustomerFreezeService on the wire: check the request; then, for a caller who may: call the service, answer."""

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.customer_pb2 import Customer

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.enums import FreezeScope, FreezeState, VerificationAction
from frostgate_server.domain.errors import FrostgateError
from frostgate_server.domain.partner import PartnerUpdate
from frostgate_server.domain.verification_code import Purpose
from frostgate_server.services.customer_queries import CustomerQueries
from frostgate_server.services.customer_service import CustomerService
from frostgate_server.services.partner_service import PartnerService
from frostgate_server.services.stored_responses import BatchChangeResult, ChangeResult
from frostgate_server.storage.queries import EventFilter

from .converters import customer_message, event_message, partner_message, timestamp
from .field_validation import LARGEST_BATCH, FieldValidator
from .method_handlers import AuthorizedCall
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
    """Changes customers and reads them. One method for each RPC, in three beats.

    A method checks the shape of its request, and gives what is to be done once it is known who calls.
    """

    def __init__(self, service: CustomerService, queries: CustomerQueries, partners: PartnerService) -> None:
        """Takes the use cases."""
        self._service = service
        self._queries = queries
        self._partners = partners

    def AssociateCustomer(self, request: pb.AssociateCustomerRequest) -> AuthorizedCall:
        fields = FieldValidator()
        customer_id = fields.id("customer_id", request.customer_id)
        partner_id = fields.id("partner_id", request.partner_id)
        request_id = fields.request_id("request_id", request.request_id)
        fields.ensure()

        def associate(caller: Caller) -> pb.AssociateCustomerResponse:
            changed = self._service.associate(caller, customer_id, partner_id, request_id)
            return pb.AssociateCustomerResponse(customer=_customer(changed), revision=changed.revision)

        return associate

    def DisassociateCustomer(self, request: pb.DisassociateCustomerRequest) -> AuthorizedCall:
        fields = FieldValidator()
        customer_id = fields.id("customer_id", request.customer_id)
        reason = fields.reason("reason", request.reason)
        code = fields.code("verification_code", request.verification_code)
        request_id = fields.request_id("request_id", request.request_id)
        fields.ensure()

        def disassociate(caller: Caller) -> pb.DisassociateCustomerResponse:
            changed = self._service.disassociate(caller, customer_id, reason, code, request_id)
            return pb.DisassociateCustomerResponse(revision=changed.revision)

        return disassociate

    def FreezeCustomer(self, request: pb.FreezeCustomerRequest) -> AuthorizedCall:
        customer_id, scope, reason, code, request_id = _one_change(request)

        def freeze(caller: Caller) -> pb.FreezeCustomerResponse:
            changed = self._service.freeze(
                caller, customer_id, scope, reason, code, request_id, validate_only=request.validate_only
            )
            return pb.FreezeCustomerResponse(
                customer=_customer(changed), message=_FROZEN_MESSAGES[scope], revision=changed.revision
            )

        return freeze

    def UnfreezeCustomer(self, request: pb.UnfreezeCustomerRequest) -> AuthorizedCall:
        customer_id, scope, reason, code, request_id = _one_change(request)

        def unfreeze(caller: Caller) -> pb.UnfreezeCustomerResponse:
            changed = self._service.unfreeze(
                caller, customer_id, scope, reason, code, request_id, validate_only=request.validate_only
            )
            return pb.UnfreezeCustomerResponse(
                customer=_customer(changed), message=_UNFROZEN_MESSAGES[scope], revision=changed.revision
            )

        return unfreeze

    def BatchFreezeCustomers(self, request: pb.BatchFreezeCustomersRequest) -> AuthorizedCall:
        customer_ids, scope, reason, code, request_id = _many_changes(request)

        def freeze(caller: Caller) -> pb.BatchFreezeCustomersResponse:
            batch = self._service.batch_freeze(caller, customer_ids, scope, reason, code, request_id)
            return pb.BatchFreezeCustomersResponse(results=_results(batch), revision=batch.revision)

        return freeze

    def BatchUnfreezeCustomers(self, request: pb.BatchUnfreezeCustomersRequest) -> AuthorizedCall:
        customer_ids, scope, reason, code, request_id = _many_changes(request)

        def unfreeze(caller: Caller) -> pb.BatchUnfreezeCustomersResponse:
            batch = self._service.batch_unfreeze(caller, customer_ids, scope, reason, code, request_id)
            return pb.BatchUnfreezeCustomersResponse(results=_results(batch), revision=batch.revision)

        return unfreeze

    def GetCustomer(self, request: pb.GetCustomerRequest) -> AuthorizedCall:
        fields = FieldValidator()
        customer_id = fields.id("customer_id", request.customer_id)
        fields.ensure()

        def get(caller: Caller) -> pb.GetCustomerResponse:
            return pb.GetCustomerResponse(customer=customer_message(self._queries.get_customer(caller, customer_id)))

        return get

    def ListCustomers(self, request: pb.ListCustomersRequest) -> AuthorizedCall:
        fields = FieldValidator()
        partner_id = fields.id("partner_id", request.partner_id)
        state = (
            fields.word("freeze_state", request.freeze_state, FreezeState) if request.HasField("freeze_state") else None
        )
        expired = request.retention_expired if request.HasField("retention_expired") else None
        page_size = fields.page_size("page_size", request.page_size)
        fields.ensure()

        def list_page(caller: Caller) -> pb.ListCustomersResponse:
            customers, token = self._queries.list_customers(
                caller, partner_id, state, expired, page_size, request.page_token
            )
            return pb.ListCustomersResponse(customers=map(customer_message, customers), next_page_token=token)

        return list_page

    def ListFreezeEvents(self, request: pb.ListFreezeEventsRequest) -> AuthorizedCall:
        fields = FieldValidator()
        asked = request.HasField
        wanted = EventFilter(
            customer_id=fields.id("customer_id", request.customer_id) if asked("customer_id") else None,
            partner_ids=(fields.id("partner_id", request.partner_id),) if asked("partner_id") else None,
            after_revision=fields.revision("after_revision", request.after_revision)
            if asked("after_revision")
            else None,
            start_time=fields.time("start_time", request.start_time) if asked("start_time") else None,
            end_time=fields.time("end_time", request.end_time) if asked("end_time") else None,
        )
        fields.ordered("start_time", wanted.start_time, "end_time", wanted.end_time)
        page_size = fields.page_size("page_size", request.page_size)
        fields.ensure()

        def list_page(caller: Caller) -> pb.ListFreezeEventsResponse:
            events, token = self._queries.list_events(caller, wanted, page_size, request.page_token)
            return pb.ListFreezeEventsResponse(events=map(event_message, events), next_page_token=token)

        return list_page

    def GetPartner(self, request: pb.GetPartnerRequest) -> AuthorizedCall:
        fields = FieldValidator()
        partner_id = fields.id("partner_id", request.partner_id)
        fields.ensure()

        def get(caller: Caller) -> pb.GetPartnerResponse:
            return pb.GetPartnerResponse(partner=partner_message(self._partners.partner(caller, partner_id)))

        return get

    def UpdatePartner(self, request: pb.UpdatePartnerRequest) -> AuthorizedCall:
        fields = FieldValidator()
        update = _update(fields, request)
        code = fields.code("verification_code", request.verification_code)
        fields.ensure()

        def change(caller: Caller) -> pb.UpdatePartnerResponse:
            return pb.UpdatePartnerResponse(partner=partner_message(self._partners.update(caller, update, code)))

        return change

    def SendVerificationCode(self, request: pb.SendVerificationCodeRequest) -> AuthorizedCall:
        fields = FieldValidator()
        purpose = _purpose(fields, request)
        fields.ensure()

        def send(caller: Caller) -> pb.SendVerificationCodeResponse:
            expire_time, sent_to = self._partners.send_code(caller, purpose)
            return pb.SendVerificationCodeResponse(expire_time=timestamp(expire_time), sent_to=sent_to)

        return send


def _update(fields: FieldValidator, request: pb.UpdatePartnerRequest) -> PartnerUpdate:
    """What a request wants to change of a partner."""
    partner = request.partner
    partner_id = fields.id("partner.partner_id", partner.partner_id)
    named = fields.mask("update_mask", request.update_mask.paths, ["verification_code_enabled", "verification_contact"])
    enabled = partner.verification_code_enabled if "verification_code_enabled" in named else None
    contact = None
    if "verification_contact" in named:
        contact = fields.contact("partner.verification_contact", partner.verification_contact)
    return PartnerUpdate(partner_id, enabled, contact)


def _purpose(fields: FieldValidator, request: pb.SendVerificationCodeRequest) -> Purpose:
    """What a code is asked for: with customers and a scope as far as the action has them."""
    partner_id = fields.id("partner_id", request.partner_id)
    action = fields.word("action", request.action, VerificationAction)
    scope, customer_ids = None, list(request.customer_ids)
    if int(request.action) != int(action):
        # The action is wrong already, so what it needs is not known. Each field that is set is still checked.
        if customer_ids:
            fields.ids("customer_ids", customer_ids)
        if request.HasField("scope"):
            fields.word("scope", request.scope, FreezeScope)
        return Purpose.of(partner_id, action, customer_ids, scope)
    if action in {VerificationAction.FREEZE, VerificationAction.UNFREEZE}:
        scope = fields.word("scope", request.scope, FreezeScope)
    elif request.HasField("scope"):
        fields.wrong("scope", f"must be left out for {action.name}")
    if action is VerificationAction.UPDATE_PARTNER:
        if customer_ids:
            fields.wrong("customer_ids", f"must be left out for {action.name} but has {len(customer_ids)} items")
    else:
        fields.ids("customer_ids", customer_ids, 1 if action is VerificationAction.DISASSOCIATE else LARGEST_BATCH)
    return Purpose.of(partner_id, action, customer_ids, scope)


def _one_change(
    request: pb.FreezeCustomerRequest | pb.UnfreezeCustomerRequest,
) -> tuple[str, FreezeScope, str, str, str]:
    """customer_id, scope, reason, code and request_id of a request to change one customer."""
    fields = FieldValidator()
    customer_id = fields.id("customer_id", request.customer_id)
    scope = fields.word("scope", request.scope, FreezeScope)
    reason = fields.reason("reason", request.reason)
    code = fields.code("verification_code", request.verification_code)
    request_id = fields.request_id("request_id", request.request_id)
    fields.ensure()
    return customer_id, scope, reason, code, request_id


def _many_changes(
    request: pb.BatchFreezeCustomersRequest | pb.BatchUnfreezeCustomersRequest,
) -> tuple[list[str], FreezeScope, str, str, str]:
    """customer_ids, scope, reason, code and request_id of a request to change a batch."""
    fields = FieldValidator()
    customer_ids = fields.ids("customer_ids", request.customer_ids)
    scope = fields.word("scope", request.scope, FreezeScope)
    reason = fields.reason("reason", request.reason)
    code = fields.code("verification_code", request.verification_code)
    request_id = fields.request_id("request_id", request.request_id)
    fields.ensure()
    return customer_ids, scope, reason, code, request_id


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
