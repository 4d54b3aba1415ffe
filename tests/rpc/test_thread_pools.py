"""Checks have threads of their own: nothing slow takes the last one, and too much of anything is turned away."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from frostgate.v1.customer_freeze_service_pb2 import DESCRIPTOR as FREEZES
from frostgate.v1.customer_freeze_service_pb2 import AssociateCustomerRequest, UnfreezeCustomerRequest
from frostgate.v1.policy_decision_service_pb2 import DESCRIPTOR as DECISIONS
from frostgate_server.config.loading import configure
from frostgate_server.rpc import thread_pools
from frostgate_server.rpc.methods import METHODS
from frostgate_server.rpc.thread_pools import ThreadPool, Throttle, ThrottledThreadPool, open_thread_pools
from frostgate_server.storage.sqlite.driver import sqlite3
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from h2.connection import H2Connection
from support.calls import ACCOUNT, Calls, check_of, outcome_of
from support.processes import PATIENCE
from support.server_process import PATIENT_STORE, Connection, ServerProcess
from support.worker_processes import eventually

MANY = 64

ROOM = 10
"""Changes that may wait in a narrow server."""


ONE_THREAD = ["--workers", "1", "--check-threads", "1", "--drain-period", "1s"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of the module's server."""
    return tmp_path_factory.mktemp("server") / "frostgate.db"


@pytest.fixture(scope="module")
def server(database: Path) -> Iterator[ServerProcess]:
    """A server with one worker, which has one thread for checks."""
    with ServerProcess(database, *ONE_THREAD, variables=PATIENT_STORE) as process:
        yield process


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server as `server`, for the test that stops it."""
    with ServerProcess(tmp_path / "frostgate.db", *ONE_THREAD, variables=PATIENT_STORE) as process:
        yield process


def assert_checks_go_on(server: ServerProcess) -> None:
    with Connection(server.address) as connection:
        calls = Calls(connection)
        for _ in range(100):
            assert calls.check(customer_id="a").message


def test_the_method_table_has_every_method_and_no_other() -> None:
    methods = {
        method.name
        for file in (FREEZES, DECISIONS)
        for service in file.services_by_name.values()
        for method in service.methods
    }
    assert set(METHODS) == methods | {"ServerReflectionInfo"}
    assert [name for name, method in METHODS.items() if method.pool == "checks"] == ["CheckOperation"]


def test_idle_reflection_streams_do_not_stop_checks(server: ServerProcess) -> None:
    done = Event()

    def idle() -> Iterator[ServerReflectionRequest]:
        yield ServerReflectionRequest(list_services="*")
        done.wait(PATIENCE)

    reflect = server.channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )
    streams: list[Any] = [reflect(idle())]
    assert next(streams[0]).WhichOneof("message_response")
    streams += [reflect(idle()) for _ in range(MANY)]
    assert_checks_go_on(server)
    for stream in streams:
        stream.cancel()
    done.set()


def test_changes_that_wait_do_not_stop_checks(server: ServerProcess, database: Path) -> None:
    ids = [Calls(server).new_customer() for _ in range(MANY)]
    blocker = sqlite3.connect(database, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    changes = [
        server.freezes.UnfreezeCustomer.future(
            UnfreezeCustomerRequest(customer_id=customer_id, scope=ACCOUNT, reason="paid"), timeout=PATIENCE
        )
        for customer_id in ids
    ]
    assert_checks_go_on(server)
    assert not any(change.done() for change in changes)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert {change.result().message for change in changes} == {"The account is unfrozen."}


def test_batches_and_listings_under_way_do_not_stop_checks(server: ServerProcess) -> None:
    calls = Calls(server)
    customer_id = calls.new_customer()
    stop = Event()

    def batches_and_listings(_: int) -> int:
        done = 0
        with Connection(server.address) as connection:
            while not stop.is_set():
                Calls(connection).batch_check([check_of(customer_id=customer_id)] * 1000)
                Calls(connection).events(page_size=1000)
                done += 1
        return done

    with ThreadPoolExecutor(8) as pool:
        under_way = [pool.submit(batches_and_listings, number) for number in range(8)]
        assert_checks_go_on(server)
        stop.set()
        assert all(future.result() > 0 for future in under_way)


@pytest.mark.parametrize(
    ("came", "took", "rests"),
    [
        *((0, 1.0, []), (1, 1.0, [0.006]), (10, 1.0, [0.06]), (1000, 1.0, [thread_pools.MAX_PAUSE_SECONDS])),
        (10, 0.001, [0.003]),
    ],
    ids=["none came", "one", "ten", "very many", "many during a short call"],
)
def test_throttled_work_rests_the_longer_the_more_checks_came_meanwhile(
    monkeypatch: pytest.MonkeyPatch, came: int, took: float, rests: list[float]
) -> None:
    rested: list[float] = []
    checks = [0]
    clock = iter([0.0, took])
    monkeypatch.setattr(thread_pools, "sleep", rested.append)
    monkeypatch.setattr(thread_pools, "monotonic", lambda: next(clock))
    throttle = Throttle()
    throttle.count = lambda: checks[0]
    with ThrottledThreadPool("bulk", 1, int, throttle) as bulk:
        bulk.run(lambda: checks.__setitem__(0, came))
    assert rested == [pytest.approx(rest) for rest in rests]


def test_all_threads_of_a_pool_start_at_once_and_prepare() -> None:
    prepared: list[str] = []
    with ThreadPool("lists", 5, prepare=lambda: prepared.append(threading.current_thread().name)):
        assert sorted(prepared) == [f"lists_{number}" for number in range(5)]


def test_work_that_fails_is_logged_and_its_thread_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    done = Event()

    def failing() -> None:
        raise KeyError("a bug")

    with ThreadPool("lists", 1) as pool:
        pool.run(failing)
        pool.run(done.set)
        assert done.wait(PATIENCE)
    assert "KeyError: 'a bug'" in caplog.text


@pytest.mark.parametrize("dispatch", ["loop", "grpcio"])
def test_every_pool_that_a_method_names_is_opened(dispatch: str) -> None:
    settings = configure({"call_dispatch": dispatch, "check_threads": "3"}, {}, None).settings
    pools = open_thread_pools(settings, int, Throttle())
    assert {method.pool for method in METHODS.values()} < set(pools)
    assert pools["checks"]._max_workers == 3
    for pool in pools.values():
        pool.shutdown()


@pytest.fixture
def narrow_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with one worker, in which ten changes may wait."""
    flags = ["--workers", "1", "--max-waiting-changes", str(ROOM)]
    with ServerProcess(tmp_path / "frostgate.db", *flags, variables=PATIENT_STORE) as server:
        yield server


def test_too_many_that_wait_are_turned_away_with_the_time_to_come_back(
    narrow_server: ServerProcess, tmp_path: Path
) -> None:
    associate = narrow_server.freezes.AssociateCustomer.future
    with closing(sqlite3.connect(tmp_path / "frostgate.db", isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        calls = [
            associate(AssociateCustomerRequest(customer_id=str(number), partner_id="p"), timeout=PATIENCE)
            for number in range(30)
        ]
        eventually(lambda: sum(call.done() for call in calls) >= 30 - ROOM, "turned away")
        assert {outcome_of(call) for call in calls if call.done()} == {"OVERLOADED"}
        assert_checks_go_on(narrow_server)
        blocker.execute("ROLLBACK")
    outcomes = [outcome_of(call) for call in calls]
    assert (outcomes.count("OVERLOADED"), outcomes.count("OK")) == (30 - ROOM, ROOM)
    assert Calls(narrow_server).associate(customer_id="later").revision == ROOM + 1


def open_silent_calls(address: str, path: str, count: int) -> socket.socket:
    """Calls whose headers come and whose messages never do, on one connection."""
    connection = H2Connection()
    connection.initiate_connection()
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", address),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    for number in range(count):
        connection.send_headers(2 * number + 1, headers)
    host, port = address.split(":")
    opened = socket.create_connection((host, int(port)))
    opened.sendall(connection.data_to_send())
    return opened


def test_callers_who_never_send_their_message_do_not_stop_checks(own_server: ServerProcess) -> None:
    path = "/frostgate.v1.PolicyDecisionService/CheckOperation"
    with ExitStack() as silent:
        for _ in range(6):
            silent.enter_context(open_silent_calls(own_server.address, path, 100))
        assert_checks_go_on(own_server)
        health: Any = HealthStub(own_server.channel)
        assert health.Check(HealthCheckRequest(), timeout=PATIENCE).status == HealthCheckResponse.SERVING
        assert own_server.stop() == 0
        assert own_server.log.read_text() == ""
