"""Requests that several scenarios make."""

from typing import Any

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.partner_pb2 import Partner
from frostgate.v1.policy_pb2 import FREEZE_SCOPE_ACCOUNT, FREEZE_SCOPE_ACCOUNT_AND_RESOURCES
from google.protobuf.field_mask_pb2 import FieldMask
from support.recordings.wire_recording import Recorder

NOW = "2026-11-20T12:00:00+00:00"
MUCH_EARLIER = "2026-10-31T12:00:00.250001+00:00"
"""20 days before: past the retention period of 15 days."""

ACCOUNT, RESOURCES = FREEZE_SCOPE_ACCOUNT, FREEZE_SCOPE_ACCOUNT_AND_RESOURCES
STATES = ("unknown", "normal", "account", "resources")
"""The states that a customer can be brought into."""


def associate(customer_id: str, partner_id: str = "north", **fields: Any) -> pb.AssociateCustomerRequest:
    """Associates a customer."""
    return pb.AssociateCustomerRequest(customer_id=customer_id, partner_id=partner_id, **fields)


def disassociate(customer_id: str, **fields: Any) -> pb.DisassociateCustomerRequest:
    """Disassociates a customer."""
    return pb.DisassociateCustomerRequest(**{"customer_id": customer_id, "reason": "gone – «fin»", **fields})


def freeze(customer_id: str, scope: Any = ACCOUNT, **fields: Any) -> pb.FreezeCustomerRequest:
    """Freezes a customer."""
    return pb.FreezeCustomerRequest(**{"customer_id": customer_id, "scope": scope, "reason": "unpaid €", **fields})


def unfreeze(customer_id: str, scope: Any = ACCOUNT, **fields: Any) -> pb.UnfreezeCustomerRequest:
    """Unfreezes a customer."""
    return pb.UnfreezeCustomerRequest(**{"customer_id": customer_id, "scope": scope, "reason": "paid 🧊", **fields})


def batch_freeze(customer_ids: list[str], scope: Any = ACCOUNT, **fields: Any) -> pb.BatchFreezeCustomersRequest:
    """Freezes a batch of customers."""
    values = {"customer_ids": customer_ids, "scope": scope, "reason": "unpaid €", **fields}
    return pb.BatchFreezeCustomersRequest(**values)


def batch_unfreeze(customer_ids: list[str], scope: Any = ACCOUNT, **fields: Any) -> pb.BatchUnfreezeCustomersRequest:
    """Unfreezes a batch of customers."""
    values = {"customer_ids": customer_ids, "scope": scope, "reason": "paid 🧊", **fields}
    return pb.BatchUnfreezeCustomersRequest(**values)


def update(partner_id: str, code: str = "", **fields: Any) -> pb.UpdatePartnerRequest:
    """Updates the fields of a partner that are named."""
    partner = Partner(partner_id=partner_id, **fields)
    return pb.UpdatePartnerRequest(partner=partner, update_mask=FieldMask(paths=list(fields)), verification_code=code)


def enable(partner_id: str, contact: str, code: str = "") -> pb.UpdatePartnerRequest:
    """Enables the verification codes of a partner."""
    return update(partner_id, code, verification_code_enabled=True, verification_contact=contact)


def bring_into(wire: Recorder, customer_id: str, state: str, caller: str = "") -> None:
    """Brings a new customer into a state."""
    if state == "unknown":
        return
    wire.call(associate(customer_id), caller)
    if state == "normal":
        wire.call(unfreeze(customer_id), caller)
    if state == "resources":
        wire.call(freeze(customer_id, RESOURCES), caller)


def request_id(number: int) -> str:
    """A request id."""
    return f"00000000-0000-4000-8000-{number:012x}"
