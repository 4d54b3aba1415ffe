"""Converts messages to plain values."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from . import models
from .enums import (
    BillingMode,
    DecisionReason,
    FreezeEventAction,
    FreezeScope,
    FreezeState,
    Operation,
    RuleBasis,
)
from .error_parsing import error_of_status
from .v1 import customer_freeze_service_pb2 as freezes_pb
from .v1 import customer_pb2, policy_pb2
from .v1 import policy_decision_service_pb2 as decisions_pb

_ALLOW = policy_pb2.DECISION_ALLOW


def decision(message: decisions_pb.CheckOperationResponse) -> models.Decision:
    """A decision. Any value other than ALLOW is a denial."""
    return models.Decision(
        allowed=message.decision == _ALLOW,
        reason=DecisionReason.from_number(message.reason),
        message=message.message,
        freeze_state=FreezeState.from_number(message.freeze_state) if message.HasField("freeze_state") else None,
        basis=RuleBasis.from_number(message.basis) if message.HasField("basis") else None,
        revision=message.revision,
        policy_version=message.policy_version,
    )


def batch_decisions(message: decisions_pb.BatchCheckOperationsResponse) -> models.BatchDecisions:
    """The decisions of a batch."""
    results = tuple(
        decision(result.response) if result.HasField("response") else error_of_status(result.error)
        for result in message.results
    )
    return models.BatchDecisions(results, message.revision)


def policy(message: decisions_pb.ListRulesResponse) -> models.Policy:
    """A policy."""
    return models.Policy(
        rules=tuple(map(_rule, message.rules)),
        unknown_customer_allowed=message.unknown_customer_decision == _ALLOW,
        policy_version=message.policy_version,
    )


def _rule(message: policy_pb2.Rule) -> models.Rule:
    return models.Rule(
        freeze_state=FreezeState.from_number(message.freeze_state),
        billing_mode=BillingMode.from_number(message.billing_mode),
        operation=Operation.from_number(message.operation),
        allowed=message.decision == _ALLOW,
        reason=DecisionReason.from_number(message.reason),
        basis=RuleBasis.from_number(message.basis),
        message=message.message,
        source_text=message.source_text,
    )


def association(message: freezes_pb.AssociateCustomerResponse) -> models.Association:
    """An association."""
    return models.Association(customer(message.customer), message.revision)


def disassociation(message: freezes_pb.DisassociateCustomerResponse) -> models.Disassociation:
    """A disassociation."""
    return models.Disassociation(message.revision)


def change(message: freezes_pb.FreezeCustomerResponse | freezes_pb.UnfreezeCustomerResponse) -> models.FreezeResult:
    """A freeze or an unfreeze."""
    return models.FreezeResult(customer(message.customer), message.message, message.revision)


def batch_change(
    message: freezes_pb.BatchFreezeCustomersResponse | freezes_pb.BatchUnfreezeCustomersResponse,
) -> models.BatchFreezeResult:
    """The results of a batch of freezes or unfreezes."""
    results = {
        result.customer_id: customer(result.customer) if result.HasField("customer") else error_of_status(result.error)
        for result in message.results
    }
    return models.BatchFreezeResult(results, message.revision)


def got_customer(message: freezes_pb.GetCustomerResponse) -> models.Customer:
    """The customer of a GetCustomerResponse."""
    return customer(message.customer)


def customers(message: freezes_pb.ListCustomersResponse) -> tuple[list[models.Customer], str]:
    """A page of customers, and the token of the next one."""
    return [customer(one) for one in message.customers], message.next_page_token


def events(message: freezes_pb.ListFreezeEventsResponse) -> tuple[list[models.FreezeEvent], str]:
    """A page of events, and the token of the next one."""
    return [_event(one) for one in message.events], message.next_page_token


def customer(message: customer_pb2.Customer) -> models.Customer:
    """A customer."""
    return models.Customer(
        customer_id=message.customer_id,
        partner_id=message.partner_id,
        freeze_state=FreezeState.from_number(message.freeze_state),
        freeze_reason=message.freeze_reason if message.HasField("freeze_reason") else None,
        freeze_time=_time(message.freeze_time) if message.HasField("freeze_time") else None,
        retention_expire_time=(
            _time(message.retention_expire_time) if message.HasField("retention_expire_time") else None
        ),
        fees_accrue=message.fees_accrue,
        associate_time=_time(message.associate_time),
        update_time=_time(message.update_time),
        revision=message.revision,
    )


def partner(message: freezes_pb.GetPartnerResponse | freezes_pb.UpdatePartnerResponse) -> models.Partner:
    """The partner of a read or an update."""
    one = message.partner
    return models.Partner(one.partner_id, one.verification_code_enabled, one.verification_contact or None)


def sent_code(message: freezes_pb.SendVerificationCodeResponse) -> models.SentCode:
    """A code that was mailed."""
    return models.SentCode(_time(message.expire_time), message.sent_to)


def _event(message: customer_pb2.FreezeEvent) -> models.FreezeEvent:
    return models.FreezeEvent(
        revision=message.revision,
        customer_id=message.customer_id,
        partner_id=message.partner_id,
        action=FreezeEventAction.from_number(message.action),
        scope=FreezeScope.from_number(message.scope) if message.HasField("scope") else None,
        state_before=FreezeState.from_number(message.state_before) if message.HasField("state_before") else None,
        state_after=FreezeState.from_number(message.state_after) if message.HasField("state_after") else None,
        reason=message.reason,
        actor=message.actor,
        request_id=message.request_id,
        event_time=_time(message.event_time),
    )


def _time(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)
