"""The records of decisions: one for each decision, with both ways of receiving calls."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from frostgate.v1.policy_pb2 import BillingMode, Decision, DecisionReason, Operation
from support.access import Access
from support.calls import Calls, check_of, new_id, refusal
from support.decision_log import Record, records_of, records_with
from support.processes import PATIENCE
from support.server_process import ServerProcess

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Logged(NamedTuple):
    """A server, and its decision log."""

    server: ServerProcess
    file: Path

    def records(self, customer_id: str, count: int = 1) -> list[Record]:
        """The records of a customer, once a check that comes later is recorded."""
        last = new_id()
        Calls(self.server).check(customer_id=last)
        total = len(records_of(self.file))
        while not any(record["customer_id"] == last for record in records_with(self.file, total)):
            total += 1
        found = [record for record in records_of(self.file) if record["customer_id"] == customer_id]
        assert len(found) == count
        return found

    def check_with(self, *metadata: tuple[str, str]) -> Record:
        """The record of a check with headers."""
        customer_id = new_id()
        self.server.decisions.CheckOperation(check_of(customer_id=customer_id), timeout=PATIENCE, metadata=metadata)
        (record,) = self.records(customer_id)
        return record


@pytest.fixture(scope="module", params=["loop", "grpcio"])
def logged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    """A server with one worker."""
    directory = tmp_path_factory.mktemp(request.param)
    file = directory / "decisions.jsonl"
    flags = ["--decision-log", str(file), "--call-dispatch", request.param]
    with ServerProcess(directory / "f.db", *flags) as server:
        yield Logged(server, file)


def test_a_check_makes_a_record_of_its_answer(logged: Logged) -> None:
    calls = Calls(logged.server)
    customer_id = calls.new_customer()
    answer = calls.check(customer_id=customer_id, billing_mode=BillingMode.BILLING_MODE_YEARLY_MONTHLY)
    (record,) = logged.records(customer_id)
    moment = datetime.fromisoformat(record.pop("time"))
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=5)
    assert re.fullmatch(r"ipv4:127\.0\.0\.1:\d+", record.pop("peer"))
    assert answer.decision == Decision.DECISION_DENY
    assert record == {
        "customer_id": customer_id,
        "operation": "VIEW",
        "billing_mode": "YEARLY_MONTHLY",
        "decision": "DENY",
        "reason": DecisionReason.Name(answer.reason).removeprefix("DECISION_REASON_"),
        "revision": answer.revision,
        "policy_version": answer.policy_version,
        "source": "single",
        "caller": "anonymous",
    }


def test_a_check_of_an_unknown_customer_makes_a_record(logged: Logged) -> None:
    customer_id = new_id()
    Calls(logged.server).check(customer_id=customer_id)
    (record,) = logged.records(customer_id)
    assert (record["decision"], record["reason"]) == ("DENY", "CUSTOMER_UNKNOWN")


def test_a_batch_makes_a_record_for_each_check_that_is_answered(logged: Logged) -> None:
    calls = Calls(logged.server)
    known, unknown = calls.new_customer(), new_id()
    named = check_of(customer_id=unknown, resource_id='r"\n\x1b\x7fé')
    answer = calls.batch_check([check_of(customer_id=known), check_of(customer_id="-" * 65), named, named])
    (first,) = logged.records(known)
    for record in logged.records(unknown, count=2):
        assert record["source"] == first["source"] == "batch"
        assert record["revision"] == first["revision"] == answer.revision
        assert record["resource_id"] == named.resource_id
        assert record["time"] == first["time"]
    assert not any(record["customer_id"] == "-" * 65 for record in records_of(logged.file))
    assert b"\x1b" not in logged.file.read_bytes()


def test_calls_that_fail_make_no_record(logged: Logged) -> None:
    customer_id = Calls(logged.server).new_customer()
    calls: list[Any] = [
        lambda: Calls(logged.server).check(customer_id=customer_id, operation=Operation.OPERATION_RENEW),
        lambda: Calls(logged.server).check(customer_id=customer_id, minimum_revision=10**9),
        lambda: Calls(logged.server).batch_check([check_of(customer_id=customer_id)], minimum_revision=10**9),
    ]
    assert {refusal(call).reason for call in calls} == {"OPERATION_NOT_APPLICABLE", "REVISION_NOT_REACHED"}
    assert logged.records(customer_id, count=0) == []


def test_the_trace_id_of_a_traceparent_is_recorded(logged: Logged) -> None:
    assert logged.check_with(("traceparent", f"00-{TRACE}-{PARENT}-01"))["trace_id"] == TRACE
    assert logged.check_with(("traceparent", f"01-{TRACE}-{PARENT}-00-more"))["trace_id"] == TRACE


@pytest.mark.parametrize(
    "header",
    ["", TRACE, f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE.upper()}-{PARENT}-01", '"\\'],
)
def test_a_malformed_traceparent_is_ignored(logged: Logged, header: str) -> None:
    assert "trace_id" not in logged.check_with(("traceparent", header))


def test_a_record_names_the_authenticated_caller(tmp_path: Path) -> None:
    access = Access(tmp_path)
    file = tmp_path / "decisions.jsonl"
    with access.server("--workers", "1", "--decision-log", str(file)) as server:
        for role in ("control-plane", "operator"):
            check = check_of(customer_id=role)
            for _ in range(2):
                server.decisions.CheckOperation(check, timeout=PATIENCE, metadata=access.token(role))
        records = records_with(file, 4)
        assert [(record["caller"], record["customer_id"]) for record in records] == [
            (f"sub:{role}", role) for role in ("control-plane", "control-plane", "operator", "operator")
        ]
        assert "Bearer" not in file.read_text()


@pytest.mark.parametrize("call", ["single", "batch"])
def test_denials_only_and_a_sampled_share(tmp_path: Path, call: str) -> None:
    file = tmp_path / "decisions.jsonl"
    flags = ["--decision-log", str(file), "--decision-log-denials-only", "--decision-log-sample", "0.5"]
    with ServerProcess(tmp_path / "f.db", *flags) as server:
        calls = Calls(server)
        allowed = calls.new_customer("NORMAL")
        checks = [check_of(customer_id=customer_id) for _ in range(200) for customer_id in (allowed, "unknown")]
        if call == "batch":
            calls.batch_check(checks)
        else:
            futures = [server.decisions.CheckOperation.future(check, timeout=PATIENCE) for check in checks]
            assert len([future.result() for future in futures]) == 400
        assert server.stop() == 0
    found = records_of(file)
    assert {record["decision"] for record in found} == {"DENY"}
    # With a share of 0.5, fewer than 50 of 200 have a chance of less than 1 in 10**12.
    assert 50 <= len(found) <= 150
