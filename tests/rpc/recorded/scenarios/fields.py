"""Malformed requests of CustomerFreezeService: every field, every kind of violation."""

from collections.abc import Callable
from typing import Any

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.partner_pb2 import Partner, VerificationAction
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rpc.recorded.scenarios.common import (
    ACCOUNT,
    NOW,
    associate,
    batch_freeze,
    batch_unfreeze,
    disassociate,
    freeze,
    unfreeze,
    update,
)
from support.recordings.raw_calls import METHODS
from support.recordings.wire_recording import Recorder

_IDS = ["", "a" * 65, "a b", "a\n", "a\0", "\u0430", "a/b"]
_REASONS = ["", " \t\n ", "ü" * 257, "a\x07b", "a\nb", "\x07" + "a" * 256, "a\x85b", "\x7f"]
_CODES = ["1" * 65, " " * 65]
_REQUEST_IDS = ["1", "{123e4567-e89b-12d3-a456-426614174000}", "123e4567e89b12d3a456426614174000", "é", "x" * 100]
_SCOPES = [0, 3, 77, -1, 2**31 - 1]
_BATCHES = [
    [],
    [f"c{number}" for number in range(1001)],
    ["a", "b", "a", "a"],
    ["", "a b", "", "c"],
    [f"{number}!" for number in range(30)],
]
_UNPARSABLE = [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe"]
"""No protobuf, cut short, and a string that is no UTF-8."""

_CHANGE: dict[str, list[Any]] = {"reason": _REASONS, "verification_code": _CODES, "request_id": _REQUEST_IDS}
_ONE: dict[str, list[Any]] = {"customer_id": _IDS, "scope": _SCOPES, **_CHANGE}
_MANY: dict[str, list[Any]] = {"customer_ids": _BATCHES, "scope": _SCOPES, **_CHANGE}


def fields(wire: Recorder) -> None:
    """Each field malformed in each way, then several at once, then bytes that are no message."""
    with wire.run(NOW, "--mail-server=log"):
        wire.call(associate("a"))
        one: dict[str, Any] = {"customer_id": "a"}
        many: dict[str, Any] = {"customer_ids": ["a", "b"]}
        _vary(wire, associate, {"customer_id": _IDS, "partner_id": _IDS, "request_id": _REQUEST_IDS}, one)
        _vary(wire, disassociate, {"customer_id": _IDS, **_CHANGE}, one)
        _vary(wire, freeze, _ONE, one)
        _vary(wire, unfreeze, _ONE, one)
        _vary(wire, batch_freeze, _MANY, many)
        _vary(wire, batch_unfreeze, _MANY, many)
        _listings(wire)
        _partners(wire)
        _codes(wire)
        _several_at_once(wire)
        _unknown_bytes(wire)


def _vary(wire: Recorder, make: Callable[..., Message], values: dict[str, list[Any]], fields: dict[str, Any]) -> None:
    """Calls with one malformed field at a time."""
    for field, malformed in values.items():
        for value in malformed:
            wire.call(make(**{**fields, field: value}))


def _listings(wire: Recorder) -> None:
    times = [
        Timestamp(seconds=2**61),
        Timestamp(seconds=-62135596801),
        Timestamp(seconds=253402300800),
        Timestamp(nanos=-1),
        Timestamp(nanos=10**9),
        Timestamp(seconds=253402300799, nanos=999999999),
    ]
    _vary(wire, pb.GetCustomerRequest, {"customer_id": _IDS}, {})
    _vary(wire, pb.GetPartnerRequest, {"partner_id": _IDS}, {})
    _vary(
        wire,
        pb.ListCustomersRequest,
        {"partner_id": _IDS, "freeze_state": [0, 4, -1], "page_size": [-1, -(2**31)]},
        {"partner_id": "north"},
    )
    _vary(
        wire,
        pb.ListFreezeEventsRequest,
        {
            "customer_id": _IDS,
            "partner_id": _IDS,
            "after_revision": [-1, -(2**63)],
            "start_time": times,
            "end_time": times,
            "page_size": [-1],
        },
        {},
    )
    for end in (9, 10):
        start_time, end_time = Timestamp(seconds=10), Timestamp(seconds=end)
        wire.call(pb.ListFreezeEventsRequest(start_time=start_time, end_time=end_time))


def _partners(wire: Recorder) -> None:
    """Updates with malformed contacts and masks."""
    contacts = [
        "m***@example.org",
        "nobody",
        "a@b@c",
        "a b@example.org",
        "a@exa mple",
        "=?utf-8?q?a?=@b",
        "ä@b",
        "a@b\n",
    ]
    for contact in [*contacts, "a" * 243 + "@example.org"]:
        wire.call(update("north", verification_contact=contact))
    wire.call(update("north", "1" * 65, verification_contact="a@example.org"))
    for partner_id in _IDS:
        wire.call(update(partner_id, verification_contact="a@example.org"))
    # The mask has * for all fields. Contacts are looked at only if the mask names them.
    partner = Partner(partner_id="north", verification_contact="nobody")
    for paths in ([], ["partner_id"], ["x" * 100], ["verification_contact", "x", "y"], ["*"], ["*", "x"], ["é'\""]):
        wire.call(pb.UpdatePartnerRequest(partner=partner, update_mask=FieldMask(paths=paths)))
    wire.call(pb.UpdatePartnerRequest(partner=partner))
    wire.call(pb.UpdatePartnerRequest())
    wire.call(update("north", verification_code_enabled=True))
    wire.call(update("west", verification_code_enabled=True))
    wire.call(update("north", verification_code_enabled=False))


def _codes(wire: Recorder) -> None:
    """Requests for codes: each action with other fields than it takes."""
    send: Any = pb.SendVerificationCodeRequest
    freezing: dict[str, Any] = {
        "partner_id": "north",
        "action": VerificationAction.VERIFICATION_ACTION_FREEZE,
        "customer_ids": ["a"],
        "scope": ACCOUNT,
    }
    values: dict[str, list[Any]] = {
        "partner_id": _IDS,
        "action": [0, 5, -1],
        "customer_ids": _BATCHES,
        "scope": [None, *_SCOPES],
    }
    _vary(wire, send, values, freezing)
    for action in VerificationAction.values()[1:]:
        for customer_ids in ([], ["a"], ["a", "b"], ["a", "a"], [""]):
            for scope in (None, ACCOUNT, 0):
                wire.call(send(partner_id="north", action=action, customer_ids=customer_ids, scope=scope))
    wire.call(send(partner_id="", action=9, customer_ids=["a!", "a!"], scope=9))
    wire.call(send())


def _several_at_once(wire: Recorder) -> None:
    wrong: dict[str, Any] = {"scope": 0, "reason": "", "request_id": "x", "verification_code": "1" * 65}
    wire.call(associate("", "", request_id="x"))
    wire.call(pb.DisassociateCustomerRequest())
    wire.call(pb.DisassociateCustomerRequest(verification_code="1" * 65, request_id="x"))
    for one in (pb.FreezeCustomerRequest, pb.UnfreezeCustomerRequest):
        wire.call(one())
        wire.call(one(**wrong))
        wire.call(one(**wrong, validate_only=True))
    for many in (pb.BatchFreezeCustomersRequest, pb.BatchUnfreezeCustomersRequest):
        wire.call(many())
        wire.call(many(customer_ids=["!", "!"], **wrong))
    listing: dict[str, Any] = {"partner_id": "a b", "freeze_state": 9, "page_size": -1}
    wire.call(pb.ListCustomersRequest(**listing))
    time = Timestamp(nanos=-1)
    wire.call(
        pb.ListFreezeEventsRequest(
            customer_id="", partner_id="", after_revision=-1, start_time=time, end_time=time, page_size=-1
        )
    )
    partner = Partner(verification_contact="***")
    mask = FieldMask(paths=["verification_contact"])
    wire.call(pb.UpdatePartnerRequest(partner=partner, update_mask=mask, verification_code="1" * 65))


def _unknown_bytes(wire: Recorder) -> None:
    """Bytes that are no message, and a field that is unknown."""
    for method, descriptor in METHODS.items():
        if descriptor.containing_service.name == "CustomerFreezeService":
            for malformed in _UNPARSABLE:
                wire.call_raw(method, malformed)
    unknown_field = b"\xfa\x7f\x01x"
    wire.call_raw("UnfreezeCustomer", unfreeze("a").SerializeToString() + unknown_field)
