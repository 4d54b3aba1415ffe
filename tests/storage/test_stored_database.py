"""A database that a released version wrote is read as that version read it."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1 import policy_decision_service_pb2 as decisions_pb
from frostgate.v1.partner_pb2 import VerificationAction
from frostgate.v1.policy_pb2 import BILLING_MODE_SPOT, OPERATION_VIEW, FreezeScope
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from support.processes import output
from support.recordings.clocked_server import ClockedServer
from support.recordings.raw_calls import Answer, described, reason_of
from support.recordings.stored_database import STORED, VERSIONS, StoredDatabase, ok
from support.server_process import COMMAND

OPERATOR = "sub:operator"
EXPIRED = timedelta(hours=25)
"""After this time no stored request id and no stored code is valid."""

DROPPED_FOR_ONE = 16
"""How many expired answers a server deletes for each new one that it keeps."""


@pytest.fixture(params=VERSIONS)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> StoredDatabase:
    """A copy of the database of each version. Starts nothing."""
    return StoredDatabase(STORED / request.param, tmp_path)


@pytest.fixture(scope="module", params=VERSIONS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[StoredDatabase, ClockedServer]]:
    """Such a copy and its server, for tests that change nothing."""
    stored = StoredDatabase(STORED / request.param, tmp_path_factory.mktemp("served"))
    with stored.server() as server:
        yield stored, server


def run(*arguments: str) -> str:
    return output(*COMMAND, *arguments)


def revision(server: ClockedServer) -> int:
    check = decisions_pb.CheckOperationRequest(
        customer_id="north-1", operation=OPERATION_VIEW, billing_mode=BILLING_MODE_SPOT
    )
    return decisions_pb.CheckOperationResponse.FromString(ok(server.call(check, OPERATOR))).revision


def newest_event_time(server: ClockedServer) -> Any:
    events = pb.ListFreezeEventsRequest(page_size=1)
    page = pb.ListFreezeEventsResponse.FromString(ok(server.call(events, OPERATOR)))
    return page.events[0].event_time.ToDatetime(tzinfo=None)


def change_with_code(stored: StoredDatabase, code: str) -> pb.BatchFreezeCustomersRequest:
    """The change that the stored code was sent for."""
    assert stored.code["action"] == VerificationAction.Name(VerificationAction.VERIFICATION_ACTION_FREEZE)
    return pb.BatchFreezeCustomersRequest(
        customer_ids=stored.code["customer_ids"],
        scope=FreezeScope.Value(stored.code["scope"]),
        reason="unpaid",
        verification_code=code,
    )


def send_code(stored: StoredDatabase) -> pb.SendVerificationCodeRequest:
    return pb.SendVerificationCodeRequest(
        partner_id=stored.code["partner_id"],
        action=VerificationAction.Value(stored.code["action"]),
        customer_ids=stored.code["customer_ids"],
        scope=FreezeScope.Value(stored.code["scope"]),
    )


def assert_limited(answer: Answer, what: str) -> None:
    status = Status.FromString(answer.content)
    assert reason_of(answer) == "VERIFICATION_RATE_LIMITED"
    assert answer.message == f"Too many verification codes were {what} within an hour. Try again in 3600 s."
    retry = RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay == Duration(seconds=3600)


def test_the_stored_files_are_complete(stored: StoredDatabase) -> None:
    names = {"frostgate.db", "frostgate.db-head", "frostgate.db-key", "heads.jsonl", "audit.jsonl", "requests.json"}
    assert {file.name for file in stored.directory.iterdir()} == names
    assert len(stored.kept) > DROPPED_FOR_ONE
    assert {call.method for call in stored.kept} == {
        "AssociateCustomer",
        "DisassociateCustomer",
        "FreezeCustomer",
        "UnfreezeCustomer",
        "BatchFreezeCustomers",
        "BatchUnfreezeCustomers",
    }
    assert {call.method for call in stored.pages} == {"ListCustomers", "ListFreezeEvents"}


def test_verify_accepts_the_database_and_its_exported_heads(stored: StoredDatabase) -> None:
    heads = stored.directory / "heads.jsonl"
    exported = [json.loads(line) for line in heads.read_text("utf-8").splitlines()]
    assert len({head["revision"] for head in exported if head["audit_sequence"] > 0}) >= 2
    output = run("verify", "--database", str(stored.path), "--heads", str(heads))
    numbers = {int(number) for number in re.findall(r"\b\d+\b", output.replace(str(stored.path), ""))}
    known = len(exported) + 1  # the head file has one more
    assert {exported[-1]["revision"], exported[-1]["audit_sequence"], len(exported), known} <= numbers


def test_the_audit_log_is_printed_as_before(stored: StoredDatabase) -> None:
    printed = run("audit", "--database", str(stored.path))
    assert printed == (stored.directory / "audit.jsonl").read_text("utf-8")


def test_every_kept_request_id_gives_the_first_response_again(stored: StoredDatabase) -> None:
    with stored.server() as server:
        before = revision(server)
        for call in stored.kept:
            answer = server.call_raw(call.method, call.request, call.caller)
            assert ok(answer) == call.response, (call.message(), call.answer(), described(call.method, answer))
        assert revision(server) == before
        new = pb.AssociateCustomerRequest(customer_id="new", partner_id="north")
        ok(server.call(new, OPERATOR))
        assert revision(server) == before + 1
        assert newest_event_time(server) == stored.now.replace(tzinfo=None)


def test_a_kept_request_id_with_other_content_is_refused(served: tuple[StoredDatabase, ClockedServer]) -> None:
    stored, server = served
    for call in stored.kept:
        other = call.message()
        if call.method == "AssociateCustomer":
            other.partner_id = "north" if other.partner_id == "south" else "south"
        else:
            other.reason = "another reason"
        assert reason_of(server.call(other, call.caller)) == "REQUEST_ID_REUSED"


def test_every_page_token_leads_to_the_same_next_page(served: tuple[StoredDatabase, ClockedServer]) -> None:
    stored, server = served
    for call in stored.pages:
        answer = server.call_raw(call.method, call.request, call.caller)
        assert ok(answer) == call.response, (call.message(), call.answer(), described(call.method, answer))
        answer = server.call(call.next_request(), call.caller)
        assert ok(answer) == call.next_response, (call.next_request(), described(call.method, answer))


def test_the_stored_code_is_valid_once_for_its_purpose(stored: StoredDatabase) -> None:
    change, caller = change_with_code(stored, stored.code["code"]), stored.code["caller"]
    with stored.server() as server:
        other_scope = change_with_code(stored, stored.code["code"])
        other_scope.scope, other_scope.customer_ids[:] = FreezeScope.FREEZE_SCOPE_ACCOUNT_AND_RESOURCES, ["south-2"]
        assert reason_of(server.call(other_scope, caller)) == "VERIFICATION_CODE_INVALID"
        batch = pb.BatchFreezeCustomersResponse.FromString(ok(server.call(change, caller)))
        assert [result.WhichOneof("result") for result in batch.results] == ["customer", "customer"]
        for result in batch.results:
            assert result.customer.update_time.ToDatetime() == stored.now.replace(tzinfo=None)
        again = pb.UnfreezeCustomerRequest(
            customer_id="south-2", scope=change.scope, reason="paid", verification_code=stored.code["code"]
        )
        assert reason_of(server.call(again, caller)) == "VERIFICATION_CODE_INVALID"


def test_stored_counts_of_codes_still_count(stored: StoredDatabase) -> None:
    change, caller = change_with_code(stored, stored.code["code"]), stored.code["caller"]
    with stored.server("--code-sendings=2", "--code-failures=1") as server:
        assert_limited(server.call(send_code(stored), caller), "sent")
        assert_limited(server.call(change, caller), "wrong")
        server.set_clock((stored.now + EXPIRED).isoformat())
        ok(server.call(send_code(stored), caller))
        change.verification_code = server.sent_code()
        ok(server.call(change, caller))


def test_after_a_day_a_kept_request_is_a_new_request_and_the_code_is_invalid(stored: StoredDatabase) -> None:
    with stored.server(later=EXPIRED) as server:
        # A server of 0.1.0 deletes expired answers only when it keeps new ones, the oldest first.
        for number in range(len(stored.kept) // DROPPED_FOR_ONE + 1):
            new = pb.AssociateCustomerRequest(
                customer_id=f"new-{number}", partner_id="north", request_id=f"00000000-0000-4000-9000-{number:012d}"
            )
            ok(server.call(new, OPERATOR))
        change = change_with_code(stored, stored.code["code"])
        assert reason_of(server.call(change, stored.code["caller"])) == "VERIFICATION_CODE_INVALID"
        for call in stored.kept:
            answer = server.call_raw(call.method, call.request, call.caller)
            assert not answer.is_ok or answer.content != call.response, call.message()
        assert newest_event_time(server) == (stored.now + EXPIRED).replace(tzinfo=None)


def test_the_stored_files_are_never_opened_in_place() -> None:
    for version in VERSIONS:
        assert not [file for file in (STORED / version).iterdir() if file.name.endswith(("-wal", "-shm", "-lock"))]
