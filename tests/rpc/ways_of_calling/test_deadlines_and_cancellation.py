"""Callers who give up: before their call arrives, while it waits, and after its answer."""

import random
from typing import Any

import grpc
import pytest
from frostgate.v1.customer_freeze_service_pb2 import AssociateCustomerRequest, GetCustomerRequest
from support.calls import Calls, new_id
from support.processes import PATIENCE
from support.raw_http2 import END_HEADERS, HEADERS, RST_STREAM, RawConnection, frame, header_block, message
from support.server_process import ServerProcess
from support.ways import CALLS_AT_ONCE, WAYS, assert_answered, code_of, path_of, request, start
from support.worker_lives import blocked

CODES = grpc.StatusCode
GIVEN_UP = {CODES.OK, CODES.CANCELLED, CODES.DEADLINE_EXCEEDED}
"""What may become of a call whose caller may have given up."""

CANCEL = (8).to_bytes(4, "big")


def associating(server: ServerProcess, customer_id: str, **options: Any) -> Any:
    serialized = AssociateCustomerRequest(customer_id=customer_id, partner_id="partner").SerializeToString()
    return start(server, "change", serialized, **options)


def exists(server: ServerProcess, customer_id: str) -> bool:
    """Whether there is such a customer."""
    got: Any = server.freezes.GetCustomer.future(GetCustomerRequest(customer_id=customer_id), timeout=PATIENCE)
    return code_of(got) is CODES.OK


def has_details(future: Any) -> bool:
    """Whether the server's own methods gave the status: gRPC's own has no details."""
    return any(key == "grpc-status-details-bin" for key, _ in future.trailing_metadata() or ())


@pytest.mark.parametrize("timeout", ["0n", "0m", "0S"])
def test_changes_that_arrive_expired_are_not_made(narrow: ServerProcess, timeout: str) -> None:
    ids = [new_id() for _ in range(20)]
    with RawConnection(narrow.address, None) as connection:
        connection.begin()
        for number, customer_id in enumerate(ids):
            stream = 2 * number + 1
            block = header_block(path_of("change"), [("grpc-timeout", timeout)])
            serialized = AssociateCustomerRequest(customer_id=customer_id, partner_id="p").SerializeToString()
            connection.send(frame(HEADERS, END_HEADERS, stream, block), message(stream, serialized))
            for received in connection.frames():
                if received.stream == stream and (received.kind == RST_STREAM or received.flags & 1):
                    break
    assert not any(exists(narrow, customer_id) for customer_id in ids)


@pytest.mark.parametrize("way", WAYS)
def test_calls_without_any_time_left_are_answered_or_given_up(narrow: ServerProcess, way: str) -> None:
    for timeout in (-1, 0, 1e-9):
        # gRPC tells a server of at least a millisecond.
        assert code_of(start(narrow, way, timeout=timeout)) in GIVEN_UP


@pytest.mark.parametrize("way", WAYS)
def test_calls_that_may_expire_at_any_moment_are_answered_or_given_up(narrow: ServerProcess, way: str) -> None:
    draw = random.Random(way)
    for _ in range(10):
        timeouts = [draw.uniform(0, 0.05) for _ in range(CALLS_AT_ONCE)]
        futures = [start(narrow, way, timeout=timeout) for timeout in timeouts]
        assert [future.details() for future in futures if code_of(future) not in GIVEN_UP] == []
        assert {future.code() for future in futures if has_details(future)} <= {CODES.CANCELLED}


@pytest.mark.parametrize("way", WAYS)
def test_calls_that_are_cancelled_at_any_moment_are_answered_or_given_up(narrow: ServerProcess, way: str) -> None:
    draw = random.Random(way)
    for _ in range(10):
        futures = [start(narrow, way) for _ in range(CALLS_AT_ONCE)]
        for future in draw.sample(futures, len(futures)):
            future.cancel()
        assert [future.details() for future in futures if code_of(future) not in GIVEN_UP] == []


@pytest.mark.parametrize("way", WAYS)
def test_to_cancel_after_the_answer_changes_nothing(narrow: ServerProcess, way: str) -> None:
    for _ in range(10):
        future = start(narrow, way)
        assert future.result() is not None
        assert not future.cancel()
        assert future.code() is CODES.OK


@pytest.mark.parametrize("way", WAYS)
def test_streams_that_are_taken_back_at_once_are_not_kept(narrow: ServerProcess, way: str) -> None:
    with RawConnection(narrow.address, None) as connection:
        connection.begin()
        for stream in range(1, 100, 2):
            block = header_block(path_of(way))
            opened = frame(HEADERS, END_HEADERS, stream, block)
            connection.send(opened, message(stream, request(way)), frame(RST_STREAM, 0, stream, CANCEL))
    assert_answered(narrow)


def test_changes_that_wait_and_are_given_up_are_not_made(narrow: ServerProcess) -> None:
    cancelled, expired, patient = new_id(), new_id(), new_id()
    with blocked(narrow) as blocker:
        first = associating(narrow, cancelled)
        second = associating(narrow, expired, timeout=0.3)
        third = associating(narrow, patient)
        assert Calls(narrow).check(customer_id="a").message
        assert first.cancel()
        assert code_of(second) is CODES.DEADLINE_EXCEEDED
        # Answered after the worker has heard of both.
        assert Calls(narrow).check(customer_id="a").message
        blocker.execute("ROLLBACK")
    assert code_of(third) is CODES.OK
    assert (exists(narrow, cancelled), exists(narrow, expired), exists(narrow, patient)) == (False, False, True)


def test_a_change_is_made_if_its_caller_was_answered_and_at_most_once_if_not(narrow: ServerProcess) -> None:
    draw = random.Random(1)
    before = Calls(narrow).associate(customer_id=new_id()).revision
    answered: list[str] = []
    silent: list[str] = []
    for _ in range(50):
        ids = [new_id() for _ in range(CALLS_AT_ONCE)]
        futures = [associating(narrow, customer_id, timeout=draw.uniform(0.001, 0.02)) for customer_id in ids]
        for customer_id, future in zip(ids, futures, strict=True):
            code = code_of(future)
            assert code in GIVEN_UP
            if has_details(future):
                assert code is CODES.CANCELLED
                assert not exists(narrow, customer_id)
            (answered if code is CODES.OK else silent).append(customer_id)
    assert all(exists(narrow, customer_id) for customer_id in answered)
    made = sum(exists(narrow, customer_id) for customer_id in answered + silent)
    assert Calls(narrow).associate(customer_id=new_id()).revision == before + made + 1
