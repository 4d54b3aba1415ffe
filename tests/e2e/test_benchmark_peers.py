"""Checks beside a peer: a server of another service, which the load calls as a file says."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from benchmarks import load_program, machine, report, rounds, scenarios, subjects
from benchmarks.echoes.makes import Make
from benchmarks.figures import checks
from benchmarks.fill import filled_database
from benchmarks.load_program import Load
from benchmarks.pages import raw_results
from benchmarks.peers.peer_file import Peer, read_peers
from benchmarks.rounds import Measurement, Plan
from benchmarks.scenarios import Calls
from benchmarks.servers import CannotMeasure, Running
from benchmarks.subjects import Echo, serve
from frostgate.v1.policy_pb2 import BillingMode, Operation
from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import RESOURCE_EXHAUSTED
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status.rpc_status import to_status

CHECKS = [(BillingMode.BILLING_MODE_YEARLY_MONTHLY, Operation.OPERATION_RENEW)]
METHOD = "/some.other.v1.PermissionsService/CheckPermission"
REQUESTS = (b"\x0a\x01a", b"\x0a\x01b", b"\x0a\x01c")
ANSWER = b"\x10\x02"
RETRY_SECONDS = 0.2
SECONDS = 0.5


class OtherService:
    """A service that knows no frostgate. It answers, or refuses everything as overloaded."""

    def __init__(self) -> None:
        self.requests: Counter[bytes] = Counter()
        self.tokens: Counter[str] = Counter()
        self.overloaded = False
        self.seconds = 0.0
        self.ended = threading.Event()

    def check_permission(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Notes what it got, and takes its time."""
        self.requests[request] += 1
        self.tokens[str(dict(context.invocation_metadata()).get("authorization"))] += 1
        if self.overloaded:
            refused = Status(code=RESOURCE_EXHAUSTED, message="too much")
            refused.details.add().Pack(ErrorInfo(reason="OVERLOADED", domain="some"))
            refused.details.add().Pack(RetryInfo(retry_delay=Duration(nanos=int(RETRY_SECONDS * 1e9))))
            context.abort_with_status(to_status(refused))
        self.ended.wait(self.seconds)
        return ANSWER


@pytest.fixture
def service() -> OtherService:
    """The behaviour of the peer."""
    return OtherService()


@pytest.fixture
def peer(service: OtherService, tmp_path: Path) -> Iterator[Peer]:
    """A server of that service, as a file names it. Its process is that of the test, whose CPU is not counted."""
    server = grpc.server(ThreadPoolExecutor(4))
    _, name, method = METHOD.split("/")
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(service.check_permission)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    (tmp_path / "requests").write_text("CgFh\nCgFi\nCgFj\n")
    file = tmp_path / "peers.toml"
    file.write_text(
        f'[[peers]]\nname = "other"\ntarget = "127.0.0.1:{port}"\nmethod = "{METHOD}"\n'
        'requests_file = "requests"\nmetadata = { authorization = "Bearer of-the-peer" }\n'
    )
    (read,) = read_peers(file)
    yield read
    service.ended.set()
    server.stop(None).wait()


def outcome(load: Path, peer: Peer, tmp_path: Path, *flags: str, rate: float = 0.0) -> dict[str, Any]:
    """The outcome of calls of two callers for half a second."""
    peer.write_calls(tmp_path / "calls.json")
    shown = [f"-peer={tmp_path / 'calls.json'}", *flags]
    put = Load(1, CHECKS, Calls("call", 2, rate=rate), None, warmup=0.0, seconds=SECONDS, seed=1, shown=shown)
    measured: dict[str, Any] = load_program.outcome(load, Running(peer.target, []), put)["measured"]
    return measured


def test_a_peer_gets_its_own_requests_and_metadata(
    load: Path, tmp_path: Path, service: OtherService, peer: Peer
) -> None:
    assert set(outcome(load, peer, tmp_path)["statuses"]) == {"OK"}
    assert set(service.requests) == set(REQUESTS)
    assert set(service.tokens) == {"Bearer of-the-peer"}


def test_a_refusal_is_counted_by_its_reason_and_heeded_where_that_is_asked_for(
    load: Path, tmp_path: Path, service: OtherService, peer: Peer
) -> None:
    service.overloaded = True
    heeded = outcome(load, peer, tmp_path, "-deadline=250ms", "-heed-retry-info")["statuses"]
    assert set(heeded) == {"ResourceExhausted OVERLOADED"}
    # Two callers, who begin at most at 0, 0.2 and 0.4 s.
    assert sum(heeded.values()) <= 2 * 3
    ignored = outcome(load, peer, tmp_path, "-deadline=250ms")["statuses"]
    assert set(ignored) == {"ResourceExhausted OVERLOADED"}
    assert sum(ignored.values()) > sum(heeded.values())


def test_calls_that_are_due_while_another_is_under_way_are_missed_and_counted(
    load: Path, tmp_path: Path, service: OtherService, peer: Peer
) -> None:
    service.seconds = 0.06
    rate = 100.0
    told = outcome(load, peer, tmp_path, "-deadline=10s", rate=rate)
    assert set(told["statuses"]) == {"OK"}
    assert told["in_time"] == told["statuses"]["OK"]
    # Each caller's calls are due every 20 ms, and take three times as long.
    assert told["missed"] > told["statuses"]["OK"]
    assert told["missed"] + told["statuses"]["OK"] <= rate * SECONDS + 2


def test_a_call_without_an_answer_ends_at_its_deadline(
    load: Path, tmp_path: Path, service: OtherService, peer: Peer
) -> None:
    service.seconds = 60.0
    told = outcome(load, peer, tmp_path, "-deadline=100ms")
    assert set(told["statuses"]) == {"DeadlineExceeded"}
    assert "in_time" not in told
    assert told["latency_admitted_p99_ns"] >= 100_000_000


def test_calls_of_a_peer_that_is_not_there_are_not_measured(load: Path, tmp_path: Path, peer: Peer) -> None:
    gone = Peer(peer.name, "127.0.0.1:1", peer.method, peer.requests)
    with pytest.raises(CannotMeasure):
        outcome(load, gone, tmp_path)


@pytest.mark.long
def test_checks_are_measured_beside_peers_and_the_best_echo_for_each_number_of_callers(
    load: Path, tmp_path: Path, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    echoes = [Echo(Make.LOOP, 1), Echo(Make.THREADS, 1, 1)]
    for module in (rounds, scenarios):
        monkeypatch.setattr(module, "ECHOES", echoes)
    monkeypatch.setattr(rounds, "CALLERS", (1, 2))
    monkeypatch.setattr(subjects, "serve", lambda *what: [*serve(*what), "--workers=1"])
    monkeypatch.setattr(raw_results, "RESULTS", tmp_path)
    databases = {3: filled_database(tmp_path, 3)}
    measurement = Measurement(load, databases, Plan(1, 0.1, 0.3), tmp_path / "log")
    options = {"rounds": 1, "seconds": 0.3, "warmup": 0.1}
    result = machine.metadata() | {"options": options} | measurement.beside_peers([peer])
    assert sum(run["wrong"] for run in result["runs"]) == 0
    for one in checks(result):
        rates = {run["subject"]: run["measured"]["statuses"]["OK"] for run in yardstick(result, one.callers)}
        assert one.best_echo.subject == max(rates, key=lambda name: rates[name])
        assert one.limit is not None
        assert [frostgate.subject for frostgate in one.frostgates] == ["frostgate 3"]
        assert [other.subject for other in one.peers] == ["other"]
        assert all(series.has_cpu for series in (one.best_echo, one.limit, *one.frostgates))
    assert [one.callers for one in checks(result)] == [1, 2]
    assert "of-the-peer" not in json.dumps(result)
    (tmp_path / "peers-1.json").write_text(json.dumps(result))
    page = report.page(*published())
    assert "### Peers, 2 at once" in page
    assert f"- other: `{METHOD}`, drawn from 3 requests" in page


def yardstick(result: rounds.Run, callers: int) -> list[rounds.Run]:
    """The runs that chose the echo."""
    return [run for run in result["runs"] if run["scenario"] == f"yardstick, {callers} at once"]


def published() -> tuple[Path, rounds.Run]:
    """A raw result of which a page is made."""
    raw = Path(report.__file__).parent / "results" / "2026-11-23-29062cfe7.json"
    return raw, json.loads(raw.read_text("utf-8"))
