"""Callers: without a credential, without a role, with every role, and bound to partners.

Every request is well formed: whether the credential or the fields are looked at first is not recorded.
"""

from typing import Any

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.partner_pb2 import VerificationAction
from frostgate.v1.policy_decision_service_pb2 import (
    BatchCheckOperationsRequest,
    CheckOperationRequest,
    ListRulesRequest,
)
from frostgate.v1.policy_pb2 import BillingMode, Operation
from google.protobuf.message import Message
from rpc.recorded.scenarios.common import (
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

_OPERATOR, _CENTER, _BOUND = "sub:operator", "sub:partner-center", "sub:bound"
_CERTIFIED, _HOST = "spiffe://example.org/operator", "dns:plane.example.org"
_CALLERS: list[dict[str, Any]] = [
    {"principal": _OPERATOR, "role": "operator"},
    {"principal": "sub:auditor", "role": "auditor"},
    {"principal": "sub:plane", "role": "control-plane"},
    {"principal": _CENTER, "role": "partner-center", "partners": "all"},
    {"principal": _BOUND, "role": "partner-center", "partners": ["north", "north-east"]},
    {"principal": _CERTIFIED, "role": "operator"},
    {"principal": _HOST, "role": "control-plane"},
]
_BOUND_TO_SOUTH = [
    {**caller, **({"partners": ["south"]} if caller["principal"] == _BOUND else {})} for caller in _CALLERS
]
_UNKNOWN = ["", "token", "token none", "certificate", "sub:stranger", "dns:stranger.example.org", "spiffe://x/stranger"]
_FREEZE = VerificationAction.VERIFICATION_ACTION_FREEZE


def callers(wire: Recorder) -> None:
    """Every method with every caller, then a bound caller, before and after it is bound to another partner."""
    with wire.run(NOW, "--mail-server=log", callers=_CALLERS):
        wire.call(associate("n1"), _OPERATOR)
        wire.call(associate("s1", "south"), _CERTIFIED)
        for caller in _UNKNOWN:
            for request in _every_method("nobody"):
                wire.call(request, caller)
        for caller in [caller["principal"] for caller in _CALLERS]:
            for request in _every_method("n1"):
                wire.call(request, caller)
        _bound_caller(wire)
    with wire.run(NOW, "--mail-server=log", callers=_BOUND_TO_SOUTH):
        for request in _kept():
            wire.call(request, _BOUND)
        wire.call(pb.ListFreezeEventsRequest(), _BOUND)
        wire.call(pb.GetCustomerRequest(customer_id="n1"), _BOUND)
        wire.call(pb.GetCustomerRequest(customer_id="s1"), _BOUND)


def _every_method(customer_id: str) -> list[Message]:
    """A request for each method, so that a customer frozen by association is in the same state afterwards."""
    check = CheckOperationRequest(
        customer_id=customer_id, operation=Operation.OPERATION_VIEW, billing_mode=BillingMode.BILLING_MODE_SPOT
    )
    return [
        check,
        BatchCheckOperationsRequest(checks=[check]),
        ListRulesRequest(),
        pb.GetCustomerRequest(customer_id=customer_id),
        pb.ListCustomersRequest(partner_id="north"),
        pb.ListFreezeEventsRequest(customer_id=customer_id, page_size=1),
        pb.GetPartnerRequest(partner_id="north"),
        update("north", verification_contact="codes@example.org"),
        pb.SendVerificationCodeRequest(partner_id="north", action=_FREEZE, customer_ids=["n1"], scope=RESOURCES),
        associate(customer_id),
        freeze(customer_id, RESOURCES),
        unfreeze(customer_id, RESOURCES),
        batch_freeze([customer_id]),
        batch_unfreeze([customer_id]),
        disassociate(customer_id),
        associate(customer_id),
    ]


def _bound_caller(wire: Recorder) -> None:
    """A bound caller gets the same answer for a customer of another partner and for no customer."""
    for customer_id in ("s1", "nobody"):
        wire.call(pb.GetCustomerRequest(customer_id=customer_id), _BOUND)
        wire.call(disassociate(customer_id), _BOUND)
        for make in (freeze, unfreeze):
            wire.call(make(customer_id), _BOUND)
            wire.call(make(customer_id, validate_only=True), _BOUND)
        for make_batch in (batch_freeze, batch_unfreeze):
            wire.call(make_batch([customer_id]), _BOUND)
        wire.call(pb.ListFreezeEventsRequest(customer_id=customer_id), _BOUND)
    for partner_id in ("south", "west"):
        wire.call(associate("n2", partner_id), _BOUND)
        wire.call(associate("s1", partner_id), _BOUND)
        wire.call(pb.ListCustomersRequest(partner_id=partner_id), _BOUND)
        wire.call(pb.ListFreezeEventsRequest(partner_id=partner_id), _BOUND)
        wire.call(pb.GetPartnerRequest(partner_id=partner_id), _BOUND)
        wire.call(update(partner_id, verification_code_enabled=False), _BOUND)
        action = VerificationAction.VERIFICATION_ACTION_UPDATE_PARTNER
        wire.call(pb.SendVerificationCodeRequest(partner_id=partner_id, action=action), _BOUND)
    wire.call(associate("s1", "north"), _BOUND)
    wire.call(pb.ListCustomersRequest(partner_id="north-east"), _BOUND)
    for request in (*_kept(), *_kept()):
        wire.call(request, _BOUND)
    # Another caller has request ids of its own.
    for request in _kept():
        wire.call(request, _CENTER)
    wire.pages(pb.ListFreezeEventsRequest(page_size=10), _BOUND)
    wire.pages(pb.ListFreezeEventsRequest(page_size=15), _CENTER)
    (token, *_) = wire.pages(pb.ListFreezeEventsRequest(page_size=15), "sub:auditor")
    wire.call(pb.ListFreezeEventsRequest(page_token=token), _BOUND)
    wire.call(enable("north-east", "codes@example.org"), _BOUND)
    wire.call(associate("e1", "north-east"), _BOUND)
    wire.call(
        pb.SendVerificationCodeRequest(
            partner_id="north-east", action=_FREEZE, customer_ids=["e1", "s1"], scope=RESOURCES
        ),
        _BOUND,
    )
    wire.call(batch_freeze(["s1", "e1"], RESOURCES, verification_code=CODE), _BOUND)
    wire.call(batch_freeze(["n1", "e1"], RESOURCES), _BOUND)


def _kept() -> list[Message]:
    """Changes with a request id."""
    return [
        associate("n3", request_id=request_id(1)),
        freeze("n3", RESOURCES, request_id=request_id(2)),
        unfreeze("n3", RESOURCES, request_id=request_id(3)),
        batch_freeze(["s1", "n3", "nobody"], request_id=request_id(4)),
        batch_unfreeze(["s1", "n3"], request_id=request_id(5)),
        disassociate("n3", request_id=request_id(6)),
    ]
