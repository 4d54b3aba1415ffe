"""A server drains with calls under way in every pool, and with callers who are gone."""

import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import grpc
import pytest
from support.calls import Calls
from support.mail_server import MailServer
from support.processes import PATIENCE
from support.raw_http2 import END_HEADERS, HEADERS, RawConnection, frame, header_block, message
from support.runner.sizes import members
from support.server_process import PATIENT_STORE, Connection, ServerProcess
from support.verification_desk import FREEZE, Desk
from support.ways import WAYS, code_of, path_of, request, start
from support.worker_lives import blocked
from support.worker_processes import eventually

CODES = grpc.StatusCode


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with one worker that takes as long as its calls do to drain."""
    flags = ["--workers", "1", "--drain-period", "1h"]
    with ServerProcess(tmp_path / "frostgate.db", *flags, variables=PATIENT_STORE) as server:
        yield server


def assert_drained(server: ServerProcess) -> None:
    """The server ends by itself, and has found nothing wrong."""
    assert server.process.wait(PATIENCE) == 0
    assert server.log.read_text() == ""


def call_until_refused(server: ServerProcess, way: str, begun: Event) -> set[grpc.StatusCode]:
    """Calls again and again on one connection. Gives what became of all calls, the first that is not OK included."""
    codes: set[grpc.StatusCode] = set()
    with Connection(server.address) as connection:
        while codes <= {CODES.OK}:
            codes.add(code_of(start(connection, way)))
            begun.set()
    return codes


def test_under_load_each_call_is_answered_or_refused(own_server: ServerProcess) -> None:
    """gRPC itself cancels a call that arrives while it tells the connection of the end. Nothing of it was begun."""
    ways = list(WAYS) * 4
    begun = {number: Event() for number in range(len(ways))}
    with ThreadPoolExecutor(len(ways)) as pool:
        callers = [pool.submit(call_until_refused, own_server, way, begun[n]) for n, way in enumerate(ways)]
        assert all(event.wait(PATIENCE) for event in begun.values())
        own_server.process.terminate()
        for caller in callers:
            answered, refused = sorted(caller.result(), key=lambda code: code is not CODES.OK)
            assert answered is CODES.OK
            assert refused in {CODES.UNAVAILABLE, CODES.CANCELLED}
    assert_drained(own_server)


def test_changes_that_wait_for_the_commit_are_answered(own_server: ServerProcess) -> None:
    with blocked(own_server) as blocker, ExitStack() as opened:
        connections = [opened.enter_context(Connection(own_server.address)) for _ in range(8)]
        changes = [start(connection, "change") for connection in connections]
        for connection in connections:
            assert Calls(connection).check(customer_id="a").message
        own_server.process.terminate()
        assert own_server.process.next_line() == "frostgate-server is draining\n"
        eventually(lambda: code_of(start(own_server, "check", timeout=5)) is not CODES.OK, "refusing")
        assert not any(change.done() for change in changes)
        blocker.execute("ROLLBACK")
        assert {code_of(change) for change in changes} == {CODES.OK}
    assert_drained(own_server)


def test_a_mail_that_is_being_sent_is_answered(tmp_path: Path) -> None:
    with (
        MailServer(tmp_path) as mails,
        ServerProcess(tmp_path / "frostgate.db", "--drain-period", "1h", *mails.flags()) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        desk = Desk(Calls(server), mails)
        customer_id = desk.customer("NORMAL")
        mails.held.clear()
        mails.holds = Event()
        sending = pool.submit(desk.sent, FREEZE, customer_id)
        assert mails.held.wait(PATIENCE)
        server.process.terminate()
        assert server.process.next_line() == "frostgate-server is draining\n"
        assert not sending.done()
        mails.holds.set()
        assert sending.result()
        assert_drained(server)


@pytest.mark.parametrize("way", members(WAYS, short=["change"]))
def test_callers_who_are_gone_do_not_keep_a_server(own_server: ServerProcess, way: str) -> None:
    with blocked(own_server) as blocker:
        for _ in range(5):
            with RawConnection(own_server.address, None) as connection:
                connection.begin()
                for stream in range(1, 20, 2):
                    block = header_block(path_of(way))
                    connection.send(frame(HEADERS, END_HEADERS, stream, block), message(stream, request(way)))
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert Calls(own_server).check(customer_id="a").message
        own_server.process.terminate()
        assert own_server.process.next_line() == "frostgate-server is draining\n"
        blocker.execute("ROLLBACK")
    assert_drained(own_server)


@pytest.mark.parametrize("way", members(WAYS, short=["check"]))
def test_callers_who_say_half_of_their_message_do_not_keep_a_server(own_server: ServerProcess, way: str) -> None:
    with RawConnection(own_server.address, None) as connection:
        connection.begin()
        for stream in range(1, 20, 2):
            block = header_block(path_of(way))
            connection.send(frame(HEADERS, END_HEADERS, stream, block), frame(0, 0, stream, b"\0\0\0\1\0half"))
        assert Calls(own_server).check(customer_id="a").message
        own_server.process.terminate()
        assert_drained(own_server)


@pytest.mark.parametrize("way", members(WAYS, short=["batch"]))
def test_callers_who_do_not_read_do_not_keep_a_server(own_server: ServerProcess, way: str) -> None:
    with RawConnection(own_server.address, None) as connection:
        connection.begin({4: 0})
        for stream in range(1, 20, 2):
            block = header_block(path_of(way))
            connection.send(frame(HEADERS, END_HEADERS, stream, block), message(stream, request(way)))
        assert Calls(own_server).check(customer_id="a").message
        own_server.process.terminate()
        assert_drained(own_server)
