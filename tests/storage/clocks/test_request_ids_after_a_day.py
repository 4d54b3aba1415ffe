"""A kept request_id ends after 24 hours by the server's clock, also if no other call came in between."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.policy_pb2 import FREEZE_SCOPE_ACCOUNT, FREEZE_SCOPE_ACCOUNT_AND_RESOURCES, FreezeState
from support.recordings.clocked_server import ClockedServer, clocked_server
from support.recordings.raw_calls import reason_of
from support.recordings.stored_database import ok

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
MOMENT = timedelta(microseconds=1)
ACCOUNT, RESOURCES = FREEZE_SCOPE_ACCOUNT, FREEZE_SCOPE_ACCOUNT_AND_RESOURCES

CHANGES: list[Any] = [
    pb.AssociateCustomerRequest(customer_id="associated", partner_id="p"),
    pb.DisassociateCustomerRequest(customer_id="disassociated", reason="gone"),
    pb.FreezeCustomerRequest(customer_id="frozen", scope=RESOURCES, reason="unpaid"),
    pb.UnfreezeCustomerRequest(customer_id="unfrozen", scope=ACCOUNT, reason="paid"),
    pb.BatchFreezeCustomersRequest(customer_ids=["b-1", "b-2", "unknown"], scope=RESOURCES, reason="unpaid"),
    pb.BatchUnfreezeCustomersRequest(customer_ids=["c-1", "c-2", "unknown"], scope=ACCOUNT, reason="paid"),
]
"""A change by each method. All customers but the first are associated before, and so are frozen in scope ACCOUNT."""

BACK: list[Any] = [
    pb.DisassociateCustomerRequest(customer_id="associated", reason="back"),
    pb.AssociateCustomerRequest(customer_id="disassociated", partner_id="p"),
    pb.UnfreezeCustomerRequest(customer_id="frozen", scope=RESOURCES, reason="back"),
    pb.FreezeCustomerRequest(customer_id="unfrozen", scope=ACCOUNT, reason="back"),
    pb.BatchUnfreezeCustomersRequest(customer_ids=["b-1", "b-2"], scope=RESOURCES, reason="back"),
    pb.BatchFreezeCustomersRequest(customer_ids=["c-1", "c-2"], scope=ACCOUNT, reason="back"),
]
"""Undoes each of the changes, without a request_id."""


def with_request_id(change: Any, number: int) -> Any:
    copy = type(change)()
    copy.CopyFrom(change)
    copy.request_id = f"00000000-0000-4000-8000-{number:012d}"
    return copy


REQUESTS = [with_request_id(change, number) for number, change in enumerate(CHANGES)]


def make_all(server: ClockedServer, requests: list[Any]) -> list[bytes]:
    return [ok(server.call(request)) for request in requests]


def associate_all(server: ClockedServer) -> None:
    for customer_id in ("disassociated", "frozen", "unfrozen", "b-1", "b-2", "c-1", "c-2"):
        ok(server.call(pb.AssociateCustomerRequest(customer_id=customer_id, partner_id="p")))


def state(server: ClockedServer, customer_id: str) -> int:
    answer = ok(server.call(pb.GetCustomerRequest(customer_id=customer_id)))
    return pb.GetCustomerResponse.FromString(answer).customer.freeze_state


def test_each_request_is_replayed_for_a_day_and_then_is_a_new_one(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with clocked_server(database, NOW.isoformat()) as server:
        associate_all(server)
        first = make_all(server, REQUESTS)
        make_all(server, BACK)
    with clocked_server(database, (NOW + DAY - MOMENT).isoformat()) as server:
        assert make_all(server, REQUESTS) == first
        assert state(server, "frozen") == FreezeState.FREEZE_STATE_NORMAL
        for later in (DAY, 3 * DAY):
            server.set_clock((NOW + later).isoformat())
            again = make_all(server, REQUESTS)
            assert not set(again) & set(first)
            assert state(server, "frozen") == FreezeState.FREEZE_STATE_ACCOUNT_AND_RESOURCES_FROZEN
            make_all(server, BACK)


def test_a_request_id_may_be_used_for_other_content_after_a_day(tmp_path: Path) -> None:
    other = [with_request_id(change, number) for number, change in enumerate(CHANGES)]
    for change in other[1:]:
        change.reason = "another reason"
    other[0].partner_id = "another"
    with clocked_server(tmp_path / "frostgate.db", NOW.isoformat()) as server:
        associate_all(server)
        make_all(server, REQUESTS)
        make_all(server, BACK)
        assert {reason_of(server.call(request)) for request in other} == {"REQUEST_ID_REUSED"}
        server.set_clock((NOW + DAY).isoformat())
        make_all(server, other)
