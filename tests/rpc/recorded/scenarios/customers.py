"""The life of a customer: every transition, repeated requests and batches."""

from typing import Any

from frostgate.v1 import customer_freeze_service_pb2 as pb
from google.protobuf.message import Message
from rpc.recorded.scenarios.common import (
    ACCOUNT,
    NOW,
    RESOURCES,
    STATES,
    associate,
    batch_freeze,
    batch_unfreeze,
    bring_into,
    disassociate,
    freeze,
    request_id,
    unfreeze,
)
from support.recordings.wire_recording import Recorder

_A_SECOND_LATER = "2026-11-20T12:00:01.000001+00:00"
_A_DAY_LATER = "2026-11-21T11:59:59.999999+00:00"
"""Just less than 24 hours after NOW."""


def transitions(wire: Recorder) -> None:
    """Every change of a customer in every state, foreseen and made, and how the customer and its events look then."""
    with wire.run(NOW):
        for state in STATES:
            for change in _changes():
                bring_into(wire, f"{state}-{change}", state)
    with wire.run(_A_SECOND_LATER, "--retention-period=36h"):
        for state in STATES:
            for change in _changes():
                _change(wire, change, f"{state}-{change}")
        wire.call(associate("again"))
        wire.call(disassociate("again", reason="  trimmed\t\n"))
        wire.call(associate("again", "south"))
        wire.call(freeze("again", RESOURCES, reason="\u2003" + "€" * 256 + "\n"))
        wire.call(unfreeze("again", RESOURCES, reason="x"))
        wire.call(pb.ListFreezeEventsRequest(customer_id="again"))
        wire.call(pb.GetPartnerRequest(partner_id="north"))
        wire.call(pb.GetPartnerRequest(partner_id="south"))
        wire.call(pb.GetPartnerRequest(partner_id="west"))


def _changes() -> dict[str, Any]:
    """The six changes of a customer."""
    return {
        "associate": lambda customer_id: associate(customer_id, "south"),
        "disassociate": disassociate,
        "freeze-account": freeze,
        "freeze-resources": lambda customer_id, **more: freeze(customer_id, RESOURCES, **more),
        "unfreeze-account": unfreeze,
        "unfreeze-resources": lambda customer_id, **more: unfreeze(customer_id, RESOURCES, **more),
    }


def _change(wire: Recorder, change: str, customer_id: str) -> None:
    make = _changes()[change]
    if "freeze" in change:
        wire.call(make(customer_id, validate_only=True))
        wire.call(pb.GetCustomerRequest(customer_id=customer_id))
    wire.call(make(customer_id))
    wire.call(pb.GetCustomerRequest(customer_id=customer_id))
    wire.call(pb.ListFreezeEventsRequest(customer_id=customer_id))


def request_ids(wire: Recorder) -> None:
    """Changes under a request id: repeated, with other content, and within 24 hours."""
    changes = _changes_with_ids()
    with wire.run(NOW):
        for customer_id in ("one", "two", "three", "four", "many-1", "many-2", "many-3"):
            wire.call(associate(customer_id))
        for change in changes:
            wire.call(change)
            wire.call(change)
        wire.call(associate("new", "south", request_id=request_id(1)))
        wire.call(disassociate("one", reason="other", request_id=request_id(2)))
        wire.call(freeze("two", ACCOUNT, request_id=request_id(3)))
        wire.call(freeze("two", RESOURCES, reason="other", request_id=request_id(3)))
        wire.call(unfreeze("four", request_id=request_id(4)))
        wire.call(batch_freeze(["many-2", "many-1", "nobody"], RESOURCES, request_id=request_id(5)))
        wire.call(batch_unfreeze(["many-1"], RESOURCES, request_id=request_id(6)))
        wire.call(freeze("two", RESOURCES, reason="  unpaid €\n", request_id=request_id(3)))
        wire.call(freeze("two", RESOURCES, verification_code="12345678", request_id=request_id(3)))
        # Another method has request ids of its own.
        wire.call(unfreeze("two", RESOURCES, request_id=request_id(3)))
        # Upper and lower case are one request id. A call that failed does not keep it.
        wire.call(freeze("nobody", request_id="AAAAAAAA-0000-4000-8000-000000000000"))
        wire.call(freeze("four", RESOURCES, request_id="aaaaaaaa-0000-4000-8000-000000000000"))
        wire.call(freeze("four", RESOURCES, request_id="AAAAAAAA-0000-4000-8000-000000000000"))
        # A change that is only foreseen keeps and replays nothing.
        wire.call(unfreeze("four", RESOURCES, validate_only=True, request_id=request_id(7)))
        wire.call(freeze("four", RESOURCES, validate_only=True, request_id=request_id(3)))
        wire.call(unfreeze("four", RESOURCES, request_id=request_id(7)))
        wire.call(pb.ListFreezeEventsRequest())
    with wire.run(_A_DAY_LATER):
        for change in changes:
            wire.call(change)
        wire.call(associate("new", "south", request_id=request_id(1)))
        wire.call(batch_freeze(["many-1"], RESOURCES, request_id=request_id(5)))
        wire.call(pb.ListFreezeEventsRequest(page_size=1))


def _changes_with_ids() -> list[Message]:
    """A change of each method, with all refusals that a batch can have."""
    return [
        associate("new", request_id=request_id(1)),
        disassociate("one", request_id=request_id(2)),
        freeze("two", RESOURCES, request_id=request_id(3)),
        unfreeze("three", request_id=request_id(4)),
        batch_freeze(["many-1", "nobody", "two", "many-2"], RESOURCES, request_id=request_id(5)),
        batch_unfreeze(["many-1", "nobody", "three", "new", "two"], RESOURCES, request_id=request_id(6)),
        batch_freeze(["many-1", "nobody"], ACCOUNT, request_id=request_id(8)),
        batch_freeze(["nobody"], ACCOUNT, request_id=request_id(9)),
        associate("one", "south", request_id=request_id(10)),
    ]


def batches(wire: Recorder) -> None:
    """Batches of changes: customers in every state, in any order."""
    with wire.run(NOW):
        for scope in (ACCOUNT, RESOURCES):
            for number, make in enumerate((batch_freeze, batch_unfreeze)):
                customer_ids = [f"{state}-{scope}-{number}" for state in reversed(STATES)]
                for state, customer_id in zip(reversed(STATES), customer_ids, strict=True):
                    bring_into(wire, customer_id, state)
                wire.call(make(customer_ids, scope))
                wire.call(make(customer_ids[1:], scope))
                wire.call(make(customer_ids[::-1], RESOURCES))
        wire.call(associate("of-south", "south"))
        wire.call(batch_freeze(["normal-1-0", "of-south", "normal-2-1"], RESOURCES, reason="  trimmed "))
        wire.call(batch_unfreeze(["of-south"], RESOURCES, reason="€" * 256))
        wire.call(pb.ListFreezeEventsRequest())
        wire.call(pb.ListCustomersRequest(partner_id="north"))
