"""The health of services, calls of Watch, and the monitor that derives health from answered checks."""

import logging
from typing import Any
from unittest.mock import Mock

import grpc
import pytest
from frostgate_server.domain.errors import InvalidFields
from frostgate_server.rpc.health import (
    NOT_SERVING,
    SERVICE_UNKNOWN,
    SERVING,
    Health,
    HealthMonitor,
    HealthWatch,
    UnknownService,
)
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

SERVICES = ["", "frostgate.v1.PolicyDecisionService", "frostgate.v1.CustomerFreezeService"]

PERIOD = 0.2
"""Seconds between two checks of a server on itself."""


def request_for(service: str) -> bytes:
    return HealthCheckRequest(service=service).SerializeToString()


def told(watch: HealthWatch) -> int | None:
    """The status that a watcher is told; None if it is told nothing."""
    message = watch.next_message()
    return None if message is None else HealthCheckResponse.FromString(message).status


@pytest.fixture
def health() -> Health:
    return Health(SERVICES)


@pytest.mark.parametrize("status", [SERVING, NOT_SERVING])
@pytest.mark.parametrize("service", SERVICES)
def test_check_answers_with_the_bytes_of_grpcio(health: Health, service: str, status: Any) -> None:
    servicer = HealthServicer()
    servicer.set(service, status)
    health.set(service, status)
    expected = servicer.Check(HealthCheckRequest(service=service), Mock()).SerializeToString()
    assert health.check(request_for(service)) == expected


@pytest.mark.parametrize("service", ["none", "grpc.health.v1.Health", "FROSTGATE.v1.PolicyDecisionService", " "])
def test_check_of_another_service_is_not_found_and_its_watch_stays_unknown(health: Health, service: str) -> None:
    context = Mock()
    HealthServicer().Check(HealthCheckRequest(service=service), context)
    context.set_code.assert_called_once_with(grpc.StatusCode.NOT_FOUND)
    with pytest.raises(UnknownService):
        health.check(request_for(service))
    watch = health.watch(request_for(service))
    assert told(watch) == SERVICE_UNKNOWN
    health.shut_down()
    assert told(watch) is None


@pytest.mark.parametrize(
    ("serialized", "problem"),
    [
        (b"\xff\xff\xff", "must be a valid grpc.health.v1.HealthCheckRequest"),
        (b"\x0a\x05ab", "must be a valid grpc.health.v1.HealthCheckRequest"),
        (b"\x0a\x02\xff\xfe", "must be a valid grpc.health.v1.HealthCheckRequest"),
        (request_for("a" * 1022), "must have at most 1024 bytes but has 1025"),
    ],
    ids=["no protobuf", "cut short", "no UTF-8", "too large"],
)
def test_bytes_that_are_no_request_are_invalid(health: Health, serialized: bytes, problem: str) -> None:
    for call in (health.check, health.watch):
        with pytest.raises(InvalidFields) as refused:
            call(serialized)
        (violation,) = refused.value.violations
        assert violation.field == "request"
        assert violation.description.startswith(problem)


def test_a_watcher_is_told_the_status_at_once_and_then_each_other_one(health: Health) -> None:
    watch = health.watch(request_for(SERVICES[1]))
    assert [told(watch), told(watch)] == [SERVING, None]
    health.set(SERVICES[2], NOT_SERVING)
    assert told(watch) is None
    health.set(SERVICES[1], NOT_SERVING)
    assert [told(watch), told(watch)] == [NOT_SERVING, None]
    health.set(SERVICES[1], SERVING)
    assert [told(watch), told(watch)] == [SERVING, None]


def test_a_watcher_that_reads_late_is_told_the_present_status_alone(health: Health) -> None:
    watch = health.watch(request_for(""))
    assert told(watch) == SERVING
    for status in (NOT_SERVING, SERVING, NOT_SERVING):
        health.set("", status)
    assert [told(watch), told(watch)] == [NOT_SERVING, None]
    for status in (SERVING, NOT_SERVING):
        health.set("", status)
    assert told(watch) is None


def test_after_the_shutdown_nothing_serves_again(health: Health) -> None:
    watches = [health.watch(request_for(service)) for service in SERVICES]
    assert [told(watch) for watch in watches] == [SERVING] * 3
    health.shut_down()
    health.set("", SERVING)
    assert [told(watch) for watch in watches] == [NOT_SERVING] * 3
    assert told(health.watch(request_for(""))) == NOT_SERVING


class Watched:
    """A monitor whose time is set by the test."""

    def __init__(self) -> None:
        self.now = 100.0
        self.health = Health(SERVICES)
        self.monitor = HealthMonitor(self.health, lambda: self.now)

    @property
    def status(self) -> int:
        """The status of all services."""
        (status,) = {self.health.status_of(service) for service in SERVICES}
        return status

    def checks(self, *answers: bool | None) -> list[int]:
        """The status after each check. A check is answered with OK or not, or it is not answered at all."""
        return [self._check(answer) for answer in answers]

    def _check(self, good: bool | None) -> int:
        self.now += PERIOD
        self.monitor.tick()
        if good is not None:
            self.monitor.note_answer(good=good)
        return self.status


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_two_failed_checks_in_a_row_end_serving_and_two_good_ones_begin_it_again(watched: Watched) -> None:
    assert watched.checks(True, False, False, True, False, True, True) == [
        *(SERVING, SERVING, NOT_SERVING),
        *(NOT_SERVING, NOT_SERVING, NOT_SERVING, SERVING),
    ]


def test_one_failed_check_now_and_then_changes_nothing(watched: Watched) -> None:
    assert set(watched.checks(*([True, False] * 50))) == {SERVING}


def test_one_good_check_now_and_then_changes_nothing(watched: Watched) -> None:
    watched.checks(False, False)
    assert set(watched.checks(*([True, False] * 50))) == {NOT_SERVING}


def test_silence_ends_serving_within_two_seconds_and_answers_begin_it_again(watched: Watched) -> None:
    watched.checks(True)
    silent = watched.checks(*([None] * 20))
    assert silent.index(NOT_SERVING) == 7  # the eighth tick: after 1.6 s
    assert set(silent[7:]) == {NOT_SERVING}
    assert watched.checks(True, True, None, None) == [NOT_SERVING, SERVING, SERVING, SERVING]


def test_answers_that_take_longer_than_the_silence_do_not_make_health_flap(watched: Watched) -> None:
    slow = [*([None] * 8), True] * 10
    statuses = watched.checks(*slow)
    assert set(statuses[7:]) == {NOT_SERVING}


def test_answers_that_take_a_second_are_no_silence(watched: Watched) -> None:
    assert set(watched.checks(*([*([None] * 5), True] * 10))) == {SERVING}


def test_failed_checks_do_not_break_the_silence(watched: Watched) -> None:
    statuses = watched.checks(*([None, None, False, None, None, None, None, None]))
    assert statuses.index(NOT_SERVING) == 7


def test_the_time_of_a_process_that_did_not_run_is_no_silence(watched: Watched) -> None:
    watched.checks(True)
    watched.now += 3600
    assert watched.checks(None, True, True) == [SERVING] * 3


def test_a_change_of_health_is_logged_once_with_its_cause(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        watched.checks(*([False] * 5), True, True, True, *([None] * 20))
    assert caplog.messages == [
        "health is NOT_SERVING: checks fail",
        "health is SERVING: checks are answered",
        "health is NOT_SERVING: no check was answered for 1.5 s",
    ]


def test_the_monitor_leaves_a_server_alone_that_is_shut_down(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.health.shut_down()
    with caplog.at_level(logging.WARNING):
        assert set(watched.checks(True, True, False, False, *([None] * 20))) == {NOT_SERVING}
    assert caplog.messages == []


def test_the_health_of_changes_is_that_of_one_service_and_needs_checks_too(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    changes = HealthMonitor(watched.health, service=SERVICES[2])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            changes.note_answer(good=False, cause="the disk is full")
        assert [watched.health.status_of(service) for service in SERVICES] == [SERVING, SERVING, NOT_SERVING]
        for good in (False, False, True, True):
            watched.monitor.note_answer(good=good)
        assert [watched.health.status_of(service) for service in SERVICES] == [SERVING, SERVING, NOT_SERVING]
        for _ in range(2):
            changes.note_answer(good=True)
        assert watched.checks(True) == [SERVING]
    assert caplog.messages == [
        f"health of {SERVICES[2]} is NOT_SERVING: changes fail: the disk is full",
        "health is NOT_SERVING: checks fail",
        "health is SERVING: checks are answered",
        f"health of {SERVICES[2]} is SERVING: changes are answered",
    ]
