"""Listings: every filter, pages of every size, and page tokens that are invalid."""

from typing import Any

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.policy_pb2 import FreezeState
from google.protobuf.timestamp_pb2 import Timestamp
from rpc.recorded.scenarios.common import (
    MUCH_EARLIER,
    NOW,
    RESOURCES,
    associate,
    disassociate,
    freeze,
    unfreeze,
)
from support.recordings.wire_recording import Recorder

_RETENTION_ENDS = "2026-11-15T12:00:00.250001+00:00"
"""Exactly 15 days after MUCH_EARLIER."""

_RETENTION_LASTS = "2026-11-15T12:00:00.250000+00:00"
_STATES = [FreezeState.FREEZE_STATE_NORMAL, FreezeState.FREEZE_STATE_ACCOUNT_FROZEN]
_FROZEN = FreezeState.FREEZE_STATE_ACCOUNT_AND_RESOURCES_FROZEN
_EARLIER = Timestamp(seconds=1793448000, nanos=250001000)
"""MUCH_EARLIER."""


def listings(wire: Recorder) -> None:
    """Listings of customers and events, of customers that changed at two times."""
    with wire.run(MUCH_EARLIER):
        for number in range(1, 8):
            wire.call(associate(f"c{number}"))
        wire.call(associate("c8", "south"))
        for number in (1, 2, 3):
            wire.call(freeze(f"c{number}", RESOURCES))
        wire.call(unfreeze("c4"))
        wire.call(disassociate("c7"))
    for clock in (_RETENTION_LASTS, _RETENTION_ENDS):
        with wire.run(clock):
            for expired in (True, False):
                wire.call(_customers(retention_expired=expired))
    with wire.run(NOW):
        wire.call(freeze("c5", RESOURCES, reason="12"))
        wire.call(unfreeze("c6"))
        wire.call(unfreeze("c2", RESOURCES))
        wire.call(associate("c7", "south"))
        _list_customers(wire)
        _list_events(wire)
        _refused_tokens(wire)


def _customers(**fields: Any) -> pb.ListCustomersRequest:
    return pb.ListCustomersRequest(**{"partner_id": "north", **fields})


def _list_customers(wire: Recorder) -> None:
    wire.call(_customers(partner_id="west"))
    wire.call(_customers(partner_id="south"))
    for page_size in (0, 1000, 1001, 2**31 - 1):
        wire.call(_customers(page_size=page_size))
    for page_size in (1, 4):
        wire.pages(_customers(page_size=page_size))
    for expired in (None, True, False):
        for state in (None, *_STATES, _FROZEN):
            wire.pages(_customers(freeze_state=state, retention_expired=expired, page_size=1))


def _list_events(wire: Recorder) -> None:
    events = pb.ListFreezeEventsRequest
    for page_size in (0, 1001):
        wire.call(events(page_size=page_size))
    wire.pages(events(page_size=5))
    wire.pages(events(customer_id="c7", page_size=1))
    wire.call(events(customer_id="nobody"))
    wire.pages(events(partner_id="south", page_size=1))
    wire.call(events(partner_id="west"))
    wire.call(events(customer_id="c7", partner_id="north"))
    for revision in (0, 12, 16, 17, 2**63 - 1):
        wire.call(events(after_revision=revision))
    for nanos in (0, 1, 999):
        time = Timestamp(seconds=_EARLIER.seconds, nanos=_EARLIER.nanos + nanos)
        wire.call(events(start_time=time, page_size=1))
        wire.call(events(end_time=time, page_size=1))
    last = Timestamp(seconds=253402300799, nanos=999999000)
    wire.call(events(start_time=Timestamp(seconds=-62135596800), end_time=last, page_size=1))
    filters: dict[str, Any] = {"partner_id": "north", "after_revision": 1, "start_time": _EARLIER, "end_time": last}
    wire.pages(events(customer_id="c2", page_size=1, **filters))


def _refused_tokens(wire: Recorder) -> None:
    """Page tokens of other filters, of another listing, and malformed ones."""
    (of_customers, *_) = wire.pages(_customers(page_size=3))
    (of_events, *_) = wire.pages(pb.ListFreezeEventsRequest(partner_id="north", page_size=10))
    wire.call(_customers(page_size=1, page_token=of_customers))
    wire.call(_customers(partner_id="south", page_token=of_customers))
    wire.call(_customers(freeze_state=_FROZEN, page_token=of_customers))
    wire.call(_customers(retention_expired=False, page_token=of_customers))
    wire.call(_customers(page_token=of_events))
    wire.call(_customers(partner_id="west", page_token=of_customers))
    wire.call(pb.ListFreezeEventsRequest(partner_id="north", page_size=1, page_token=of_events))
    wire.call(pb.ListFreezeEventsRequest(page_token=of_events))
    wire.call(pb.ListFreezeEventsRequest(partner_id="north", after_revision=0, page_token=of_events))
    wire.call(pb.ListFreezeEventsRequest(partner_id="north", page_token=of_customers))
    for token in ("x", "!", "=", "AAAA", "W10", "bnVsbA", "WyJhIiwgMV0", "WzEsMl0", "€", "a" * 301, of_events + "="):
        wire.call(_customers(page_token=token))
        wire.call(pb.ListFreezeEventsRequest(partner_id="north", page_token=token))
