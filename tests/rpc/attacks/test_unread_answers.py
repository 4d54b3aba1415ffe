"""A caller that does not read its answers takes no place from others, and is cut off."""

from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic
from typing import Any

import pytest
from frostgate.v1.customer_freeze_service_pb2 import AssociateCustomerRequest, ListCustomersRequest
from frostgate.v1.policy_decision_service_pb2 import ListRulesRequest
from support.attacked import A_CHECK, CHECK, DRAIN_PERIOD, HEALTH_CHECK, Attacked
from support.processes import PATIENCE
from support.raw_http2 import END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, RST_STREAM, Frame, RawConnection
from support.runner.sizes import size

CALLS_OF_A_CONNECTION = 128

RULES = "/frostgate.v1.PolicyDecisionService/ListRules"
CUSTOMERS = "/frostgate.v1.CustomerFreezeService/ListCustomers"

REQUESTS = {
    HEALTH_CHECK: b"",
    RULES: b"",
    CUSTOMERS: ListCustomersRequest(partner_id="partner").SerializeToString(),
    CHECK: A_CHECK.SerializeToString(),
}
"""Serialized requests of methods in several pools, and on the loop. All of them are answered with a message."""


@pytest.fixture
def target(own_target: Attacked) -> Attacked:
    """A server for each test: its calls stay unread, or it is ended."""
    return own_target


@pytest.fixture
def unread(target: Attacked) -> Iterator[dict[str, list[RawConnection]]]:
    """On each of two connections for each method, all calls that it may have. All were answered, none was read."""
    associated = AssociateCustomerRequest(customer_id="a", partner_id="partner")
    with target.connect() as ordinary:
        associate: Any = ordinary.freezes.AssociateCustomer
        assert associate(associated, timeout=PATIENCE, metadata=target.metadata).customer
    with ExitStack() as opened:
        connections: dict[str, list[RawConnection]] = {}
        for path, request in REQUESTS.items():
            for _ in range(2):
                connection = opened.enter_context(target.raw())
                connection.begin({INITIAL_WINDOW_SIZE: 0})
                streams = range(1, 2 * CALLS_OF_A_CONNECTION, 2)
                connection.send(*(target.call(stream, path, request) for stream in streams))
                connections.setdefault(path, []).append(connection)
        _wait_for_answers(connections[HEALTH_CHECK][0])
        yield connections


def _wait_for_answers(connection: RawConnection) -> None:
    """Waits until each call has the headers of its answer, or was cut."""
    answered: set[int] = set()
    for received in connection.frames():
        if received.kind in {HEADERS, RST_STREAM}:
            answered.add(received.stream)
        if len(answered) == CALLS_OF_A_CONNECTION:
            return
    raise AssertionError("the connection has ended")


def _is_end(received: Frame) -> bool:
    return received.kind == HEADERS and bool(received.flags & END_STREAM)


def test_unread_answers_take_no_place_from_other_callers(target: Attacked, unread: object) -> None:
    assert unread
    for _ in range(20):
        target.assert_serves()
        with target.connect() as connection:
            rules: Any = connection.decisions.ListRules(ListRulesRequest(), timeout=PATIENCE, metadata=target.metadata)
            assert rules.rules


def test_unread_answers_do_not_hold_up_the_end_of_a_server(target: Attacked, unread: object) -> None:
    assert unread
    start = monotonic()
    assert target.server.stop() == 0
    assert monotonic() - start < DRAIN_PERIOD / 2


@pytest.mark.long
@pytest.mark.parametrize("kind", ["plaintext"])
def test_calls_whose_answers_are_not_read_are_cut_off(target: Attacked, unread: dict[str, list[RawConnection]]) -> None:
    connections = [of_path[-1] for of_path in unread.values()]
    for connection in connections[: size(short=1, long=len(connections))]:
        ends = connection.frames_until(CALLS_OF_A_CONNECTION, _is_end)
        assert len({end.stream for end in ends}) == CALLS_OF_A_CONNECTION
        cut = [end for end in ends if b"CANCELLED" in end.payload]
        refused_at_once = [end for end in ends if end.payload.startswith(b"\x88")]
        assert len(cut) + len(refused_at_once) == CALLS_OF_A_CONNECTION
        assert cut
    target.assert_serves()
