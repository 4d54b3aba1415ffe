"""The calls of CustomerFreezeService for customers and their events."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message

from frostgate import models, parsing
from frostgate.enums import FreezeScope, FreezeState
from frostgate.v1 import customer_freeze_service_pb2 as freezes_pb
from frostgate.wire_enum import number_to_send

from .call import Answer, Call, RequestId, list_of, timestamp

_SERVICE = "/frostgate.v1.CustomerFreezeService/"


def associate_customer(customer_id: str, partner_id: str, request_id: RequestId) -> Call[models.Association]:
    """AssociateCustomer."""
    request = freezes_pb.AssociateCustomerRequest(
        customer_id=customer_id, partner_id=partner_id, request_id=_request_id(request_id)
    )
    return _change("AssociateCustomer", request, freezes_pb.AssociateCustomerResponse, parsing.association)


def disassociate_customer(
    customer_id: str, reason: str, verification_code: str, request_id: RequestId, expected_revision: int | None
) -> Call[models.Disassociation]:
    """DisassociateCustomer."""
    request = freezes_pb.DisassociateCustomerRequest(
        customer_id=customer_id,
        reason=reason,
        verification_code=verification_code,
        request_id=_request_id(request_id),
        expected_revision=expected_revision,
    )
    return _change("DisassociateCustomer", request, freezes_pb.DisassociateCustomerResponse, parsing.disassociation)


def freeze_customer(
    customer_id: str,
    scope: FreezeScope,
    reason: str,
    verification_code: str,
    request_id: RequestId,
    validate_only: bool,
    expected_revision: int | None,
) -> Call[models.FreezeResult]:
    """FreezeCustomer."""
    request = freezes_pb.FreezeCustomerRequest(
        customer_id=customer_id,
        scope=number_to_send("scope", scope, FreezeScope),
        reason=reason,
        verification_code=verification_code,
        request_id=_request_id(request_id, validate_only),
        validate_only=validate_only,
        expected_revision=expected_revision,
    )
    return _change("FreezeCustomer", request, freezes_pb.FreezeCustomerResponse, parsing.change)


def unfreeze_customer(
    customer_id: str,
    scope: FreezeScope,
    reason: str,
    verification_code: str,
    request_id: RequestId,
    validate_only: bool,
    expected_revision: int | None,
) -> Call[models.FreezeResult]:
    """UnfreezeCustomer."""
    request = freezes_pb.UnfreezeCustomerRequest(
        customer_id=customer_id,
        scope=number_to_send("scope", scope, FreezeScope),
        reason=reason,
        verification_code=verification_code,
        request_id=_request_id(request_id, validate_only),
        validate_only=validate_only,
        expected_revision=expected_revision,
    )
    return _change("UnfreezeCustomer", request, freezes_pb.UnfreezeCustomerResponse, parsing.change)


def batch_freeze_customers(
    customer_ids: Iterable[str],
    scope: FreezeScope,
    reason: str,
    verification_code: str,
    request_id: RequestId,
    validate_only: bool,
) -> Call[models.BatchFreezeResult]:
    """BatchFreezeCustomers."""
    request = freezes_pb.BatchFreezeCustomersRequest(
        customer_ids=list_of("customer_ids", customer_ids, str),
        scope=number_to_send("scope", scope, FreezeScope),
        reason=reason,
        verification_code=verification_code,
        request_id=_request_id(request_id, validate_only),
        validate_only=validate_only,
    )
    return _change("BatchFreezeCustomers", request, freezes_pb.BatchFreezeCustomersResponse, parsing.batch_change)


def batch_unfreeze_customers(
    customer_ids: Iterable[str],
    scope: FreezeScope,
    reason: str,
    verification_code: str,
    request_id: RequestId,
    validate_only: bool,
) -> Call[models.BatchFreezeResult]:
    """BatchUnfreezeCustomers."""
    request = freezes_pb.BatchUnfreezeCustomersRequest(
        customer_ids=list_of("customer_ids", customer_ids, str),
        scope=number_to_send("scope", scope, FreezeScope),
        reason=reason,
        verification_code=verification_code,
        request_id=_request_id(request_id, validate_only),
        validate_only=validate_only,
    )
    return _change("BatchUnfreezeCustomers", request, freezes_pb.BatchUnfreezeCustomersResponse, parsing.batch_change)


def get_customer(customer_id: str) -> Call[models.Customer]:
    """GetCustomer."""
    request = freezes_pb.GetCustomerRequest(customer_id=customer_id)
    return Call(_SERVICE + "GetCustomer", request, freezes_pb.GetCustomerResponse, parsing.got_customer)


def list_customers(
    partner_id: str, freeze_state: FreezeState | None, retention_expired: bool | None, page_size: int
) -> Call[tuple[list[models.Customer], str]]:
    """ListCustomers."""
    request = freezes_pb.ListCustomersRequest(
        partner_id=partner_id,
        freeze_state=None if freeze_state is None else number_to_send("freeze_state", freeze_state, FreezeState),
        retention_expired=retention_expired,
        page_size=page_size,
    )
    return Call(_SERVICE + "ListCustomers", request, freezes_pb.ListCustomersResponse, parsing.customers)


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
        start_time=timestamp(start_time),
        end_time=timestamp(end_time),
        page_size=page_size,
    )
    return Call(_SERVICE + "ListFreezeEvents", request, freezes_pb.ListFreezeEventsResponse, parsing.events)


def _change(method: str, request: Any, response_class: type[Message], read: Callable[[Any], Answer]) -> Call[Answer]:
    """Returns a call that changes customers. With `validate_only` it is a read."""
    validates = getattr(request, "validate_only", False)
    return Call(_SERVICE + method, request, response_class, read, None if validates else request.request_id)


def _request_id(given: RequestId, validate_only: bool = False) -> str:
    """Returns the id to send. No id is made for `validate_only`, because the server keeps none for it."""
    return str(given or ("" if validate_only else uuid4()))
