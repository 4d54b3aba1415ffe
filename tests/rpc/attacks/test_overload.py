"""More checks at once than may wait, half-sent messages, and one caller with very many."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from threading import Event

import pytest
from support.attacked import A_CHECK, CHECK, KINDS, Attacked, Kind, attacked
from support.calls import outcome_of
from support.processes import PATIENCE
from support.raw_http2 import END_HEADERS, END_STREAM, HEADERS, RST_STREAM, RawConnection, frame, header_block, message
from support.runner.sizes import members, size

CONNECTIONS = 20
GREEDY_CONNECTIONS = 5
HALF_SENT = 500
IN_FLIGHT, PER_SECOND = "--caller-calls-in-flight", "--caller-calls-per-second"
CALLS = 100

MOST_OF_A_CONNECTION = 100_000
"""Bytes that a worker may hold for a connection without calls."""

OVERLOADED = (b"Too many calls are waiting", b"The caller has reached its limit")
"""In the headers of a refusal, as far as they are not abbreviated."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, kind: Kind) -> Iterator[Attacked]:
    """A server in which few checks may wait."""
    with attacked(tmp_path_factory.mktemp("small"), kind, "--max-waiting-checks", "64") as one:
        yield one


@pytest.mark.long
def test_checks_beyond_the_limit_are_overloaded_and_the_others_answered(small: Attacked) -> None:
    with ExitStack() as opened:
        connections = [opened.enter_context(small.connect()) for _ in range(CONNECTIONS)]
        for connection in connections:
            small.check(connection)
        many = size(short=100, long=250)
        futures = [small.start_check(connection) for _ in range(many) for connection in connections]
        outcomes = Counter(map(outcome_of, futures))
    print(outcomes)
    assert set(outcomes) <= {"OK", "OVERLOADED"}
    assert outcomes["OK"] >= CONNECTIONS
    small.assert_serves()


def test_calls_go_on_beside_half_sent_messages(target: Attacked) -> None:
    with ExitStack() as opened:
        half = frame(HEADERS, END_HEADERS, 1, target.headers(CHECK)) + message(1, bytes(100), last=False)[:-50]
        for number in range(HALF_SENT):
            connection = opened.enter_context(target.raw())
            connection.begin()
            connection.send(half if number % 2 else half[:-40])
        for _ in range(20):
            target.assert_serves()


def test_calls_go_on_beside_idle_connections(own_target: Attacked) -> None:
    idle = size(short=500, long=2_000)
    before = own_target.resident_bytes()
    with ExitStack() as opened:
        for _ in range(idle):
            opened.enter_context(own_target.raw()).begin()
        for _ in range(20):
            own_target.assert_serves()
        assert (own_target.resident_bytes() - before) / idle <= MOST_OF_A_CONNECTION


@dataclass(slots=True)
class Greedy:
    """Another caller, who has as many checks waiting as it can."""

    address: str
    metadata: tuple[tuple[str, str], ...]
    ended: int = 0
    refused: int = 0

    def call(self, target: Attacked, over: Event) -> None:
        """Makes checks on one connection, many at once, until it is over."""
        block = header_block(CHECK, self.metadata)
        request = A_CHECK.SerializeToString()
        with target.raw(self.address) as connection:
            connection.begin()
            stream = 1
            while not over.is_set():
                streams = range(stream, stream + 2 * CALLS, 2)
                connection.send(
                    *(frame(HEADERS, END_HEADERS, number, block) + message(number, request) for number in streams)
                )
                self._wait(connection)
                stream = streams.stop

    def _wait(self, connection: RawConnection) -> None:
        """Waits for the ends of the calls. gRPC itself resets calls that come before the last ones are let go."""
        ended: set[int] = set()
        refused: set[int] = set()
        for received in connection.frames():
            if received.kind == RST_STREAM or (received.kind == HEADERS and received.flags & END_STREAM):
                ended.add(received.stream)
            if any(refusal in received.payload for refusal in OVERLOADED):
                refused.add(received.stream)
            if len(ended) == CALLS:
                break
        else:
            raise ConnectionError("the server has ended the connection")
        self.ended += len(ended)
        self.refused += len(refused)


@contextmanager
def calling(target: Attacked, greedy: Greedy) -> Iterator[None]:
    """Meanwhile the greedy caller makes checks on several connections."""
    over = Event()
    with ThreadPoolExecutor(GREEDY_CONNECTIONS) as pool:
        futures = [pool.submit(greedy.call, target, over) for _ in range(GREEDY_CONNECTIONS)]
        try:
            yield
        finally:
            over.set()
        for future in futures:
            future.result(PATIENCE)


@pytest.mark.parametrize(
    ("kind", "address"),
    members(product(KINDS, ["127.0.0.1", "127.0.0.2"]), short=[("plaintext", "127.0.0.1")]),
    indirect=["kind"],
    scope="module",
)
def test_a_caller_with_thousands_of_checks_does_not_turn_away_one_with_few(small: Attacked, address: str) -> None:
    """Without callers at the same address, too: then the connections of one host take turns."""
    greedy = Greedy(address, small.token("auditor"))
    with calling(small, greedy), small.connect() as connection:
        answered = 0
        while not greedy.refused or answered < CALLS:
            assert small.check(connection).message
            answered += 1


@pytest.mark.parametrize("kind", ["TLS and tokens"], scope="module")
def test_strangers_with_thousands_of_checks_do_not_turn_away_a_caller(small: Attacked) -> None:
    """Strangers have no token, or one that nobody has signed."""
    for metadata in (), (("authorization", "Bearer e30.e30.e30"),):
        greedy = Greedy("127.0.0.2", metadata)
        with calling(small, greedy), small.connect() as connection:
            answered = 0
            while greedy.ended < 10 * CALLS or answered < CALLS:
                assert small.check(connection).message
                answered += 1


@pytest.mark.parametrize(
    ("kind", "flag"),
    members(product(KINDS, [IN_FLIGHT, PER_SECOND]), short=[("plaintext", PER_SECOND), ("TLS and tokens", IN_FLIGHT)]),
    indirect=["kind"],
    scope="module",
)
def test_a_caller_over_its_limit_is_overloaded(tmp_path: Path, kind: Kind, flag: str) -> None:
    with attacked(tmp_path, kind, flag, "20") as target, target.connect() as connection:
        greedy = Greedy("127.0.0.2", target.token("auditor"))
        with calling(target, greedy):
            outcomes = {outcome_of(target.start_check(connection))}
            while not greedy.refused:
                outcomes.add(outcome_of(target.start_check(connection)))
        assert outcomes <= {"OK", "OVERLOADED"}
        assert "OK" in outcomes
