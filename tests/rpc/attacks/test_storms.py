"""Streams that are opened and cancelled at once, and calls that are reset as soon as they are sent."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from support.attacked import CHECK, HEALTH_WATCH, Attacked
from support.processes import PATIENCE
from support.reset_storm import resetting
from support.runner.sizes import size

THREADS = 4
MOST_RESETS = 10_000


@pytest.mark.long
def test_checks_go_on_beside_watches_that_are_opened_and_cancelled(target: Attacked) -> None:
    def storm(number: int) -> None:
        with target.connect() as connection:
            stub: Any = HealthStub(connection.channel)
            for turn in range(size(short=150, long=3000)):
                watch = stub.Watch(HealthCheckRequest(), timeout=PATIENCE)
                if (turn + number) % 2:
                    assert next(watch).status == 1
                watch.cancel()

    with ThreadPoolExecutor(THREADS) as pool, target.connect() as connection:
        storms = [pool.submit(storm, number) for number in range(THREADS)]
        while not all(one.done() for one in storms):
            assert target.check(connection).message
        for one in storms:
            one.result()
    target.assert_serves()


@pytest.mark.parametrize("path", [CHECK, HEALTH_WATCH, "/no.such.Service/Method"], ids=["check", "watch", "unknown"])
def test_checks_go_on_beside_calls_that_are_reset(target: Attacked, path: str) -> None:
    """How long they take then is measured apart: other programs would disturb it here."""
    with target.connect() as connection, resetting(target, path) as storm:
        while storm.sent < MOST_RESETS and not storm.was_ended:
            assert target.check(connection).message
        assert storm.sent
    target.assert_serves()
