"""Converts objects of the domain to protobuf messages."""

from datetime import datetime
from enum import IntEnum
from typing import Any

from frostgate.v1 import customer_pb2, partner_pb2, policy_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.partner import Partner
from frostgate_server.policy.rules import Rule


def timestamp(time: datetime | None) -> Timestamp | None:
    """A time on the wire. None stays absent."""
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def customer_message(customer: Customer) -> customer_pb2.Customer:
    """A customer on the wire."""
    return customer_pb2.Customer(
        customer_id=customer.customer_id,
        partner_id=customer.partner_id,
        freeze_state=wire(customer.freeze_state),
        freeze_reason=customer.freeze_reason,
        freeze_time=timestamp(customer.freeze_time),
        retention_expire_time=timestamp(customer.retention_expire_time),
        fees_accrue=customer.fees_accrue,
        associate_time=timestamp(customer.associate_time),
        update_time=timestamp(customer.update_time),
        revision=customer.revision,
    )


def event_message(event: FreezeEvent) -> customer_pb2.FreezeEvent:
    """An event on the wire."""
    return customer_pb2.FreezeEvent(
        revision=event.revision,
        customer_id=event.customer_id,
        partner_id=event.partner_id,
        action=wire(event.action),
        scope=wire(event.scope),
        state_before=wire(event.state_before),
        state_after=wire(event.state_after),
        reason=event.reason,
        actor=event.actor,
        request_id=event.request_id,
        event_time=timestamp(event.event_time),
    )


def partner_message(partner: Partner) -> partner_pb2.Partner:
    """A partner on the wire."""
    return partner_pb2.Partner(
        partner_id=partner.partner_id,
        verification_code_enabled=partner.verification_code_enabled,
        verification_contact=partner.verification_contact,
    )


def rule_message(rule: Rule) -> policy_pb2.Rule:
    """A rule on the wire."""
    return policy_pb2.Rule(
        freeze_state=wire(rule.cell.freeze_state),
        billing_mode=wire(rule.cell.billing_mode),
        operation=wire(rule.cell.operation),
        decision=wire(rule.decision),
        reason=wire(rule.reason),
        basis=wire(rule.basis),
        message=rule.message,
        source_text=rule.source_text,
    )


def wire(word: IntEnum | None) -> Any:
    """An enum value on the wire. The enums of the domain have the numbers of the proto. None stays absent."""
    return word
