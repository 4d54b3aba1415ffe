"""Verification codes. A code is random: a request has {code} in its place."""

from typing import Any

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.partner_pb2 import Partner, VerificationAction
from google.protobuf.field_mask_pb2 import FieldMask
from rpc.recorded.scenarios.common import (
    ACCOUNT,
    NOW,
    RESOURCES,
    associate,
    batch_freeze,
    batch_unfreeze,
    disassociate,
    enable,
    freeze,
    request_id,
    unfreeze,
    update,
)
from support.recordings.wire_recording import CODE, Recorder

_FREEZE = VerificationAction.VERIFICATION_ACTION_FREEZE
_UNFREEZE = VerificationAction.VERIFICATION_ACTION_UNFREEZE
_DISASSOCIATE = VerificationAction.VERIFICATION_ACTION_DISASSOCIATE
_UPDATE = VerificationAction.VERIFICATION_ACTION_UPDATE_PARTNER
_TEN_MINUTES_LATER = "2026-11-20T12:10:00+00:00"
_LATER = "2026-11-20T15:00:00+00:00"
_CONTACT = "Codes.Of-North@example.org"
_WRONG = "no code"
_LOG = "--mail-server=log"
_MANY_CODES = "--code-sendings=50"


def codes(wire: Recorder) -> None:
    """Changes with a code: required, invalid, used, expired and limited."""
    with wire.run(NOW, _LOG, _MANY_CODES):
        for customer_id in ("a", "b", "c", "d"):
            wire.call(associate(customer_id))
        wire.call(associate("other", "south"))
        _enable(wire)
        _change_without_code(wire)
        _change_with_code(wire)
        _change_partner(wire)
        wire.call(_send(_UNFREEZE, ["a"], ACCOUNT))
    with wire.run(_TEN_MINUTES_LATER, _LOG, _MANY_CODES):
        wire.call(unfreeze("a", verification_code=CODE))
        # --code-lifetime is 5 minutes. The new code ends at 12:15.
        wire.call(_send(_UNFREEZE, ["a"], ACCOUNT))
        wire.call(unfreeze("a", verification_code=CODE))
    with wire.run(_TEN_MINUTES_LATER, _LOG, "--code-sendings=1", "--code-failures=1"):
        wire.call(_send(_FREEZE, ["b"], ACCOUNT))
        wire.call(freeze("b", verification_code=_WRONG))
    with wire.run(_LATER, _LOG, "--code-sendings=1", "--code-failures=2", "--code-tries=1", "--code-lifetime=1h"):
        wire.call(_send(_FREEZE, ["b"], ACCOUNT))
        wire.call(freeze("b", verification_code=_WRONG))
        # The only try is used up. After a second failure, no code is looked at.
        wire.call(freeze("b", verification_code=CODE))
        wire.call(freeze("b", verification_code=CODE))
        wire.call(_send(_FREEZE, ["b"], ACCOUNT))


def codes_not_sent(wire: Recorder) -> None:
    """Codes that cannot be sent: no mail server, or one that does not answer."""
    smtp = ("--mail-server=127.0.0.1:{closed_port}", "--mail-security=none", "--mail-sender=codes@example.net")
    with wire.run(NOW):
        wire.call(associate("a"))
        wire.call(enable("north", _CONTACT))
        wire.call(update("north", verification_contact=_CONTACT))
        wire.call(_send(_FREEZE, ["a"], RESOURCES))
        wire.call(_send(_UPDATE, partner_id="west"))
    with wire.run(NOW, _LOG):
        wire.call(update("north", verification_code_enabled=True))
    with wire.run(NOW):
        wire.call(pb.GetPartnerRequest(partner_id="north"))
        wire.call(_send(_FREEZE, ["a"], RESOURCES))
        wire.call(freeze("a", RESOURCES))
        wire.call(freeze("a", RESOURCES, verification_code=_WRONG))
        wire.call(enable("south", _CONTACT))
    with wire.run(NOW, *smtp, "--code-sendings=1"):
        for _ in range(5):
            wire.call(_send(_FREEZE, ["a"], RESOURCES))


def _enable(wire: Recorder) -> None:
    wire.call(_send(_FREEZE, ["a"], RESOURCES))
    wire.call(_send(_FREEZE, ["a"], RESOURCES, partner_id="west"))
    wire.call(update("north", verification_code_enabled=True))
    wire.call(enable("north", _CONTACT))
    wire.call(pb.GetPartnerRequest(partner_id="north"))
    for contact in ("a@example.org", "ab@example.org", ""):
        wire.call(update("south", verification_contact=contact))
        wire.call(pb.GetPartnerRequest(partner_id="south"))
    # The function is off: a code is ignored.
    wire.call(freeze("other", RESOURCES, verification_code=_WRONG))
    # A code is of one partner.
    wire.call(batch_freeze(["a", "other"], RESOURCES))
    wire.call(batch_freeze(["a", "nobody"], RESOURCES))


def _change_without_code(wire: Recorder) -> None:
    """Changes without a code, or with one that was never sent. What is refused for another reason needs none."""
    for code in ("", _WRONG):
        wire.call(freeze("a", RESOURCES, verification_code=code))
        wire.call(unfreeze("a", verification_code=code))
        wire.call(disassociate("a", verification_code=code))
        wire.call(batch_freeze(["a", "b"], RESOURCES, verification_code=code))
        wire.call(batch_unfreeze(["a", "b"], verification_code=code))
        wire.call(freeze("a", RESOURCES, verification_code=code, validate_only=True))
        wire.call(unfreeze("a", verification_code=code, validate_only=True))
        wire.call(freeze("a", verification_code=code))
        wire.call(unfreeze("a", RESOURCES, verification_code=code))
        wire.call(batch_freeze(["a", "nobody"], verification_code=code))


def _change_with_code(wire: Recorder) -> None:
    """Codes for each action, tried for another purpose first."""
    wire.call(_send(_FREEZE, ["a"], RESOURCES))
    wire.call(freeze("a", verification_code=CODE))
    wire.call(freeze("b", RESOURCES, verification_code=CODE))
    wire.call(freeze("a", RESOURCES, verification_code=f"  {CODE}\n", request_id=request_id(1)))
    wire.call(freeze("a", RESOURCES, verification_code="", request_id=request_id(1)))
    wire.call(unfreeze("a", RESOURCES, verification_code=CODE))
    wire.call(_send(_UNFREEZE, ["a"], RESOURCES))
    wire.call(unfreeze("a", RESOURCES, verification_code=CODE))
    wire.call(_send(_FREEZE, ["a", "c", "b"], RESOURCES))
    wire.call(batch_freeze(["c", "b", "a"], RESOURCES, verification_code=CODE, request_id=request_id(2)))
    wire.call(batch_freeze(["c", "b", "a"], RESOURCES, request_id=request_id(2)))
    wire.call(_send(_UNFREEZE, ["nobody", "a", "b"], RESOURCES))
    wire.call(batch_unfreeze(["a", "b", "nobody"], RESOURCES, verification_code=CODE))
    wire.call(disassociate("a"))
    wire.call(associate("a"))
    wire.call(_send(_DISASSOCIATE, ["c"]))
    wire.call(disassociate("c", verification_code=CODE))
    wire.call(pb.ListFreezeEventsRequest(partner_id="north"))


def _change_partner(wire: Recorder) -> None:
    """Updates of a partner with codes, to another contact, then without codes, then with codes again."""
    wire.call(update("north", verification_code_enabled=False))
    wire.call(update("north", _WRONG, verification_code_enabled=False))
    wire.call(_send(_UPDATE))
    wire.call(update("north", CODE, verification_contact="b@example.org"))
    wire.call(_send(_UPDATE))
    everything = pb.UpdatePartnerRequest(
        partner=Partner(partner_id="north"), update_mask=FieldMask(paths=["*"]), verification_code=CODE
    )
    wire.call(everything)
    wire.call(everything)
    wire.call(_send(_UPDATE))
    wire.call(unfreeze("d"))
    wire.call(enable("north", _CONTACT))
    wire.call(associate("b"))
    wire.call(freeze("b"))


def _send(action: Any, customer_ids: Any = (), scope: Any = None, partner_id: str = "north") -> Any:
    return pb.SendVerificationCodeRequest(partner_id=partner_id, action=action, customer_ids=customer_ids, scope=scope)
