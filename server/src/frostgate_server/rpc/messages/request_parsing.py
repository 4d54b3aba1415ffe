"""Parses requests into commands and queries: one function for each request message. Each raises InvalidFields."""

from typing import TypeVar

from frostgate.v1 import customer_freeze_service_pb2 as pb

from frostgate_server.domain.enums import FreezeScope, FreezeState, VerificationAction
from frostgate_server.domain.partner import PartnerUpdate
from frostgate_server.domain.verification_code import Purpose
from frostgate_server.services.commands import (
    AssociateCommand,
    BatchFreezeCommand,
    BatchUnfreezeCommand,
    DisassociateCommand,
    FreezeCommand,
    UnfreezeCommand,
)
from frostgate_server.services.customer_queries import CustomerListing, EventListing
from frostgate_server.storage.queries import EventFilter

from .field_validation import LARGEST_BATCH, FieldValidator

_Change = TypeVar("_Change", FreezeCommand, UnfreezeCommand)
_Batch = TypeVar("_Batch", BatchFreezeCommand, BatchUnfreezeCommand)

_OneCustomerRequest = pb.DisassociateCustomerRequest | pb.FreezeCustomerRequest | pb.UnfreezeCustomerRequest


def parse_associate(request: pb.AssociateCustomerRequest) -> AssociateCommand:
    with FieldValidator() as fields:
        return AssociateCommand(
            customer_ids=(fields.id("customer_id", request.customer_id),),
            partner_id=fields.id("partner_id", request.partner_id),
            request_id=fields.request_id("request_id", request.request_id),
        )


def parse_disassociate(request: pb.DisassociateCustomerRequest) -> DisassociateCommand:
    with FieldValidator() as fields:
        return DisassociateCommand(
            customer_ids=(fields.id("customer_id", request.customer_id),),
            reason=fields.reason("reason", request.reason),
            verification_code=fields.code("verification_code", request.verification_code),
            request_id=fields.request_id("request_id", request.request_id),
            expected_revision=_expected_revision(fields, request),
        )


def parse_freeze(request: pb.FreezeCustomerRequest) -> FreezeCommand:
    return _parse_change(FreezeCommand, request)


def parse_unfreeze(request: pb.UnfreezeCustomerRequest) -> UnfreezeCommand:
    return _parse_change(UnfreezeCommand, request)


def parse_batch_freeze(request: pb.BatchFreezeCustomersRequest) -> BatchFreezeCommand:
    return _parse_batch(BatchFreezeCommand, request)


def parse_batch_unfreeze(request: pb.BatchUnfreezeCustomersRequest) -> BatchUnfreezeCommand:
    return _parse_batch(BatchUnfreezeCommand, request)


def parse_get_customer(request: pb.GetCustomerRequest) -> str:
    """The customer_id."""
    with FieldValidator() as fields:
        return fields.id("customer_id", request.customer_id)


def parse_list_customers(request: pb.ListCustomersRequest) -> CustomerListing:
    with FieldValidator() as fields:
        has_state, has_expired = request.HasField("freeze_state"), request.HasField("retention_expired")
        return CustomerListing(
            partner_id=fields.id("partner_id", request.partner_id),
            freeze_state=fields.word("freeze_state", request.freeze_state, FreezeState) if has_state else None,
            retention_expired=request.retention_expired if has_expired else None,
            page_size=fields.page_size("page_size", request.page_size),
            page_token=request.page_token,
        )


def parse_list_events(request: pb.ListFreezeEventsRequest) -> EventListing:
    has = request.HasField
    with FieldValidator() as fields:
        wanted = EventFilter(
            customer_id=fields.id("customer_id", request.customer_id) if has("customer_id") else None,
            partner_ids=(fields.id("partner_id", request.partner_id),) if has("partner_id") else None,
            after_revision=fields.revision("after_revision", request.after_revision) if has("after_revision") else None,
            start_time=fields.time("start_time", request.start_time) if has("start_time") else None,
            end_time=fields.time("end_time", request.end_time) if has("end_time") else None,
        )
        fields.ordered("start_time", wanted.start_time, "end_time", wanted.end_time)
        return EventListing(wanted, fields.page_size("page_size", request.page_size), request.page_token)


def parse_get_partner(request: pb.GetPartnerRequest) -> str:
    """The partner_id."""
    with FieldValidator() as fields:
        return fields.id("partner_id", request.partner_id)


def parse_update_partner(request: pb.UpdatePartnerRequest) -> tuple[PartnerUpdate, str]:
    """The update, and the verification code."""
    with FieldValidator() as fields:
        partner = request.partner
        partner_id = fields.id("partner.partner_id", partner.partner_id)
        known = ["verification_code_enabled", "verification_contact"]
        named = fields.mask("update_mask", request.update_mask.paths, known)
        enabled = partner.verification_code_enabled if "verification_code_enabled" in named else None
        contact = None
        if "verification_contact" in named:
            contact = fields.contact("partner.verification_contact", partner.verification_contact)
        code = fields.code("verification_code", request.verification_code)
        return PartnerUpdate(partner_id, enabled, contact), code


def parse_send_code(request: pb.SendVerificationCodeRequest) -> Purpose:
    """The purpose of the code, with customers and a scope if the action has them."""
    with FieldValidator() as fields:
        partner_id = fields.id("partner_id", request.partner_id)
        action = fields.word("action", request.action, VerificationAction)
        scope, customer_ids = None, list(request.customer_ids)
        if int(request.action) != int(action):
            # The action is malformed, so it is not known which fields it needs. Each field that is set is checked.
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
            most = 1 if action is VerificationAction.DISASSOCIATE else LARGEST_BATCH
            fields.ids("customer_ids", customer_ids, most)
        return Purpose.of(partner_id, action, customer_ids, scope)


def _parse_change(kind: type[_Change], request: pb.FreezeCustomerRequest | pb.UnfreezeCustomerRequest) -> _Change:
    with FieldValidator() as fields:
        return kind(
            customer_ids=(fields.id("customer_id", request.customer_id),),
            scope=fields.word("scope", request.scope, FreezeScope),
            reason=fields.reason("reason", request.reason),
            verification_code=fields.code("verification_code", request.verification_code),
            request_id=fields.request_id("request_id", request.request_id),
            expected_revision=_expected_revision(fields, request),
            validate_only=request.validate_only,
        )


def _parse_batch(
    kind: type[_Batch], request: pb.BatchFreezeCustomersRequest | pb.BatchUnfreezeCustomersRequest
) -> _Batch:
    with FieldValidator() as fields:
        return kind(
            customer_ids=tuple(fields.ids("customer_ids", request.customer_ids)),
            scope=fields.word("scope", request.scope, FreezeScope),
            reason=fields.reason("reason", request.reason),
            verification_code=fields.code("verification_code", request.verification_code),
            request_id=fields.request_id("request_id", request.request_id),
            validate_only=request.validate_only,
        )


def _expected_revision(fields: FieldValidator, request: _OneCustomerRequest) -> int | None:
    if not request.HasField("expected_revision"):
        return None
    return fields.made_revision("expected_revision", request.expected_revision)
