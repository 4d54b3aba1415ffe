"""The page tokens of released versions: what they are bound to, typed out byte by byte."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.policy_pb2 import FREEZE_STATE_ACCOUNT_AND_RESOURCES_FROZEN
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from support.recordings.stored_database import STORED, VERSIONS, StoredDatabase

NO_FILTERS = "EventFilter(customer_id=None, partner_ids=None, after_revision=None, start_time=None, end_time=None)"
BOUND_CALLER = NO_FILTERS.replace("partner_ids=None", "partner_ids=('north', 'south')")
ALL_FILTERS = (
    "EventFilter(customer_id='north-4', partner_ids=('north',), after_revision=2, "
    "start_time=datetime.datetime(2026, 10, 31, 12, 0, 0, 1, tzinfo=datetime.timezone.utc), "
    "end_time=datetime.datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=datetime.timezone.utc))"
)
FROZEN = FREEZE_STATE_ACCOUNT_AND_RESOURCES_FROZEN

LISTINGS: list[tuple[str, Message, str, str | int]] = [
    (
        "sub:operator",
        pb.ListCustomersRequest(partner_id="north", page_size=2),
        "(('north', None, None), 'north-2')",
        "north-2",
    ),
    (
        "sub:auditor",
        pb.ListCustomersRequest(partner_id="north", freeze_state=FROZEN, retention_expired=True, page_size=2),
        "(('north', <FreezeState.ACCOUNT_AND_RESOURCES_FROZEN: 3>, True), 'north-2')",
        "north-2",
    ),
    ("sub:operator", pb.ListFreezeEventsRequest(page_size=3), f"(({NO_FILTERS}, {NO_FILTERS}), 30)", 30),
    ("sub:partner-center", pb.ListFreezeEventsRequest(page_size=3), f"(({NO_FILTERS}, {BOUND_CALLER}), 30)", 30),
    (
        "sub:auditor",
        pb.ListFreezeEventsRequest(
            customer_id="north-4",
            partner_id="north",
            after_revision=2,
            start_time=Timestamp(seconds=1793448000, nanos=1),
            end_time=Timestamp(seconds=1795176000, nanos=1000),
            page_size=1,
        ),
        f"(({ALL_FILTERS}, {ALL_FILTERS}), 19)",
        19,
    ),
]
"""Caller, listing, the bytes that the token of the next page is bound to, and the key of the last item on the page."""


def page_token(bound: str, last: str | int) -> str:
    content = json.dumps([hashlib.sha256(bound.encode()).hexdigest()[:16], last])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: f"{type(listing[1]).__name__} of {listing[0]}")
def test_a_page_token_is_bound_to_exactly_these_bytes(
    listing: tuple[str, Message, str, str | int], tmp_path: Path
) -> None:
    caller, request, bound, last = listing
    stored = StoredDatabase(STORED / VERSIONS[0], tmp_path)
    (call,) = [call for call in stored.pages if (call.caller, call.message()) == (caller, request)]
    assert call.next_page_token == call.answer().next_page_token == page_token(bound, last)


def test_a_token_of_the_typed_rule_is_accepted_by_the_current_server(tmp_path: Path) -> None:
    stored = StoredDatabase(STORED / VERSIONS[0], tmp_path)
    customers = pb.ListCustomersRequest(partner_id="north", page_size=2)
    with stored.server() as server:
        for last in ("north-1", "north-3", "zebra"):
            customers.page_token = page_token(f"(('north', None, None), '{last}')", last)
            assert server.call(customers, "sub:operator").is_ok
        events = pb.ListFreezeEventsRequest(page_token=page_token(f"(({NO_FILTERS}, {NO_FILTERS}), 5)", 5))
        answer = pb.ListFreezeEventsResponse.FromString(server.call(events, "sub:operator").content)
        assert [event.revision for event in answer.events] == [4, 3, 2, 1]
