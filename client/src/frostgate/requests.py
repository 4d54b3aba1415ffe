"""One function for each RPC: plain arguments to a call that is ready to be made, synchronously or not."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from . import models, parsing
from .enums import BillingMode, FreezeScope, FreezeState, Operation, VerificationAction
from .v1 import customer_freeze_service_pb2 as freezes_pb
from .v1 import partner_pb2
from .v1 import policy_decision_service_pb2 as decisions_pb

Answer = TypeVar("Answer")
Item = TypeVar("Item")

RequestId = str | UUID | None
"""A UUID that makes a change repeatable. None, or an empty string: a new one."""

_DECISIONS = "/frostgate.v1.PolicyDecisionService/"
_FREEZES = "/frostgate.v1.CustomerFreezeService/"


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """A call: where it goes, what it says, how its answer is read.

    `request_id` is that of a change; None: a read, or what has none and so is to be tried but `once`.
    """

    path: str
    request: Message
    response_class: type[Message]
    read: Callable[[Any], Answer]
    request_id: str | None = None
    once: bool = False

    def page(self, token: str) -> "Call[Answer]":
        """The same listing, from the page that the token names."""
        request: Any = type(self.request)()
        request.CopyFrom(self.request)
        request.page_token = token
        return replace(self, request=request)


def check_operation(
    customer_id: str,
    operation: Operation,
    billing_mode: BillingMode,
    resource_id: str | None,
    minimum_revision: int | None,
) -> Call[models.Decision]:
    """CheckOperation."""
    request = decisions_pb.CheckOperationRequest(
        customer_id=customer_id,
        operation=_wire(operation),
        billing_mode=_wire(billing_mode),
        resource_id=resource_id,
        minimum_revision=minimum_revision,
    )
    return Call(_DECISIONS + "CheckOperation", request, decisions_pb.CheckOperationResponse, parsing.decision)


def batch_check_operations(checks: Iterable[models.Check], minimum_revision: int | None) -> Call[models.BatchDecisions]:
    """BatchCheckOperations."""
    requests = [
        decisions_pb.CheckOperationRequest(
            customer_id=check.customer_id,
            operation=_wire(check.operation),
            billing_mode=_wire(check.billing_mode),
            resource_id=check.resource_id,
        )
        for check in _items("checks", checks, models.Check)
    ]
    return Call(
        _DECISIONS + "BatchCheckOperations",
        decisions_pb.BatchCheckOperationsRequest(checks=requests, minimum_revision=minimum_revision),
        decisions_pb.BatchCheckOperationsResponse,
        parsing.batch_decisions,
    )


def list_rules() -> Call[models.Policy]:
    """ListRules."""
    return Call(
        _DECISIONS + "ListRules", decisions_pb.ListRulesRequest(), decisions_pb.ListRulesResponse, parsing.policy
    )


def associate_customer(customer_id: str, partner_id: str, request_id: RequestId) -> Call[models.Association]:
    """AssociateCustomer."""
    request = freezes_pb.AssociateCustomerRequest(
        customer_id=customer_id, partner_id=partner_id, request_id=_request_id(request_id)
    )
    return _change("AssociateCustomer", request, freezes_pb.AssociateCustomerResponse, parsing.association)


def disassociate_customer(
    customer_id: str, reason: str, verification_code: str, request_id: RequestId
) -> Call[models.Disassociation]:
    """DisassociateCustomer."""
    request = freezes_pb.DisassociateCustomerRequest(
        customer_id=customer_id,
        reason=reason,
        verification_code=verification_code,
        request_id=_request_id(request_id),
    )
    return _change("DisassociateCustomer", request, freezes_pb.DisassociateCustomerResponse, parsing.disassociation)


def freeze_customer(
    customer_id: str,
    scope: FreezeScope,
    reason: str,
    verification_code: str,
    request_id: RequestId,
    validate_only: bool,
) -> Call[models.FreezeResult]:
    """FreezeCustomer."""
    request = freezes_pb.FreezeCustomerRequest(
        customer_id=customer_id,
        scope=_wire(scope),
        reason=reason,
        verification_code=verification_code,
        request_id=_request_id(request_id),
        validate_only=validate_only,
    )
    return _change("FreezeCustomer", request, freezes_pb.FreezeCustomerResponse, parsing.change)


def unfreeze_customer(
    customer_id: str,
    scope: FreezeScope,
    reason: str,
    verification_code: str,
    request_id: RequestId,
    validate_only: bool,
) -> Call[models.FreezeResult]:
    """UnfreezeCustomer."""
    request = freezes_pb.UnfreezeCustomerRequest(
        customer_id=customer_id,
        scope=_wire(scope),
        reason=reason,
        verification_code=verification_code,
        request_id=_request_id(request_id),
        validate_only=validate_only,
    )
    return _change("UnfreezeCustomer", request, freezes_pb.UnfreezeCustomerResponse, parsing.change)


def batch_freeze_customers(
    customer_ids: Iterable[str], scope: FreezeScope, reason: str, verification_code: str, request_id: RequestId
) -> Call[models.BatchFreezeResult]:
    """BatchFreezeCustomers."""
    request = freezes_pb.BatchFreezeCustomersRequest(
        customer_ids=_items("customer_ids", customer_ids, str),
        scope=_wire(scope),
        reason=reason,
        verification_code=verification_code,
        request_id=_request_id(request_id),
    )
    return _change("BatchFreezeCustomers", request, freezes_pb.BatchFreezeCustomersResponse, parsing.batch_change)


def batch_unfreeze_customers(
    customer_ids: Iterable[str], scope: FreezeScope, reason: str, verification_code: str, request_id: RequestId
) -> Call[models.BatchFreezeResult]:
    """BatchUnfreezeCustomers."""
    request = freezes_pb.BatchUnfreezeCustomersRequest(
        customer_ids=_items("customer_ids", customer_ids, str),
        scope=_wire(scope),
        reason=reason,
        verification_code=verification_code,
        request_id=_request_id(request_id),
    )
    return _change("BatchUnfreezeCustomers", request, freezes_pb.BatchUnfreezeCustomersResponse, parsing.batch_change)


def get_customer(customer_id: str) -> Call[models.Customer]:
    """GetCustomer."""
    request = freezes_pb.GetCustomerRequest(customer_id=customer_id)
    return Call(_FREEZES + "GetCustomer", request, freezes_pb.GetCustomerResponse, parsing.got_customer)


def list_customers(
    partner_id: str, freeze_state: FreezeState | None, retention_expired: bool | None, page_size: int
) -> Call[tuple[list[models.Customer], str]]:
    """ListCustomers."""
    request = freezes_pb.ListCustomersRequest(
        partner_id=partner_id,
        freeze_state=None if freeze_state is None else _wire(freeze_state),
        retention_expired=retention_expired,
        page_size=page_size,
    )
    return Call(_FREEZES + "ListCustomers", request, freezes_pb.ListCustomersResponse, parsing.customers)


def list_freeze_events(
    customer_id: str | None,
    partner_id: str | None,
    after_revision: int | None,
    start_time: datetime | None,
    end_time: datetime | None,
    page_size: int,
) -> Call[tuple[list[models.FreezeEvent], str]]:
    """ListFreezeEvents."""
    request = freezes_pb.ListFreezeEventsRequest(
        customer_id=customer_id,
        partner_id=partner_id,
        after_revision=after_revision,
        start_time=_timestamp(start_time),
        end_time=_timestamp(end_time),
        page_size=page_size,
    )
    return Call(_FREEZES + "ListFreezeEvents", request, freezes_pb.ListFreezeEventsResponse, parsing.events)


def get_partner(partner_id: str) -> Call[models.Partner]:
    """GetPartner."""
    request = freezes_pb.GetPartnerRequest(partner_id=partner_id)
    return Call(_FREEZES + "GetPartner", request, freezes_pb.GetPartnerResponse, parsing.partner)


def update_partner(
    partner_id: str, enabled: bool | None, contact: str | None, verification_code: str
) -> Call[models.Partner]:
    """UpdatePartner. Raises ValueError if nothing is to be changed."""
    if enabled is None and contact is None:
        raise ValueError("an update needs verification_code_enabled, verification_contact, or both")
    changed = {"verification_code_enabled": enabled, "verification_contact": contact}
    request = freezes_pb.UpdatePartnerRequest(
        partner=partner_pb2.Partner(
            partner_id=partner_id, verification_code_enabled=bool(enabled), verification_contact=contact or ""
        ),
        update_mask=FieldMask(paths=[path for path, value in changed.items() if value is not None]),
        verification_code=verification_code,
    )
    return Call(_FREEZES + "UpdatePartner", request, freezes_pb.UpdatePartnerResponse, parsing.partner, once=True)


def send_verification_code(
    partner_id: str, action: VerificationAction, customer_ids: Iterable[str], scope: FreezeScope | None
) -> Call[models.SentCode]:
    """SendVerificationCode."""
    request = freezes_pb.SendVerificationCodeRequest(
        partner_id=partner_id,
        action=_wire(action),
        customer_ids=_items("customer_ids", customer_ids, str),
        scope=None if scope is None else _wire(scope),
    )
    response_class = freezes_pb.SendVerificationCodeResponse
    return Call(_FREEZES + "SendVerificationCode", request, response_class, parsing.sent_code, once=True)


def _items(name: str, values: Iterable[Item], kind: type[Item]) -> list[Item]:
    """The items of a list. Raises TypeError for a string, which is no list of ids, and for items of another type."""
    if isinstance(values, str | bytes):
        raise TypeError(f"{name} must be a list of {kind.__name__}, but is the string {values!r}: write [{values!r}]")
    items = list(values)
    for place, item in enumerate(items):
        if not isinstance(item, kind):
            raise TypeError(f"{name}[{place}] must be a {kind.__name__}, but is {item!r}")
    return items


def _change(method: str, request: Any, response_class: type[Message], read: Callable[[Any], Answer]) -> Call[Answer]:
    """A call that changes customers, unless it only asks whether it could."""
    only_asks = getattr(request, "validate_only", False)
    return Call(_FREEZES + method, request, response_class, read, None if only_asks else request.request_id)


def _request_id(given: RequestId) -> str:
    return str(given or uuid4())


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    if time.tzinfo is None:
        raise ValueError(f"a time needs a time zone, such as datetime.UTC: {time!r} has none")
    message = Timestamp()
    message.FromDatetime(time)
    return message


def _wire(word: FreezeScope | FreezeState | BillingMode | Operation | VerificationAction) -> Any:
    """An enum as the wire has it: the same number."""
    return int(word)
