"""The calls of CustomerFreezeService for partners and their verification codes."""

from collections.abc import Iterable

from google.protobuf.field_mask_pb2 import FieldMask

from frostgate import models, parsing
from frostgate.enums import FreezeScope, VerificationAction
from frostgate.v1 import customer_freeze_service_pb2 as freezes_pb
from frostgate.v1 import partner_pb2
from frostgate.wire_enum import number_to_send

from .call import Call, list_of

_SERVICE = "/frostgate.v1.CustomerFreezeService/"


def get_partner(partner_id: str) -> Call[models.Partner]:
    """GetPartner."""
    request = freezes_pb.GetPartnerRequest(partner_id=partner_id)
    return Call(_SERVICE + "GetPartner", request, freezes_pb.GetPartnerResponse, parsing.partner)


def update_partner(
    partner_id: str, enabled: bool | None, contact: str | None, verification_code: str
) -> Call[models.Partner]:
    """UpdatePartner. Raises ValueError if both settings are None."""
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
    return Call(_SERVICE + "UpdatePartner", request, freezes_pb.UpdatePartnerResponse, parsing.partner, once=True)


def send_verification_code(
    partner_id: str, action: VerificationAction, customer_ids: Iterable[str], scope: FreezeScope | None
) -> Call[models.SentCode]:
    """SendVerificationCode."""
    request = freezes_pb.SendVerificationCodeRequest(
        partner_id=partner_id,
        action=number_to_send("action", action, VerificationAction),
        customer_ids=list_of("customer_ids", customer_ids, str),
        scope=None if scope is None else number_to_send("scope", scope, FreezeScope),
    )
    response_class = freezes_pb.SendVerificationCodeResponse
    return Call(_SERVICE + "SendVerificationCode", request, response_class, parsing.sent_code, once=True)
