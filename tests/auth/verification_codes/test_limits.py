"""Limits of codes: sendings, tries and failures in an hour, also with many callers at once."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import grpc
import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from support.calls import RESOURCES, Calls, check_of, new_id, refusal
from support.mail_server import MailServer
from support.processes import PATIENCE
from support.runner.sizes import size
from support.server_process import Connection, ServerProcess
from support.statuses import error_info, status_of
from support.verification_desk import FREEZE, INVALID, LIMITED, UPDATE, Desk, another, refused
from support.worker_processes import checked

CALLERS = 64


COUNTING = Path(__file__).parent.parent.parent / "support" / "counted_comparisons"


def test_five_codes_are_sent_in_an_hour_and_no_more(desk: Desk) -> None:
    for _ in range(5):
        desk.sent(UPDATE, scope=None)
    found = refusal(lambda: desk.calls.send_code(desk.partner, UPDATE))
    assert (found.code, found.reason) == LIMITED
    assert 3500 < int(found.metadata["retry_after"].removesuffix(" s")) <= 3600
    assert desk.mails.is_empty()


def test_ten_tries_fail_in_an_hour_and_then_a_right_code_does_not_count(desk: Desk) -> None:
    calls, customer_id = desk.calls, desk.customer()
    change = {"customer_id": customer_id, "scope": RESOURCES}
    for _ in range(10):
        assert refused(lambda: calls.freeze(**change, verification_code="0")) == INVALID
    code = desk.sent(FREEZE, customer_id, scope=RESOURCES)
    found = refusal(lambda: calls.freeze(**change, verification_code=code))
    assert (found.code, found.reason) == LIMITED
    assert found.metadata["what"] == "wrong"


def test_a_code_is_tried_five_times_and_then_is_good_for_nothing(desk: Desk) -> None:
    customer_id = desk.customer()
    code = desk.sent(FREEZE, customer_id, scope=RESOURCES)
    change = {"customer_id": customer_id, "scope": RESOURCES}
    for _ in range(5):
        assert refused(lambda: desk.calls.freeze(**change, verification_code=another(code))) == INVALID
    assert refused(lambda: desk.calls.freeze(**change, verification_code=code)) == INVALID


def test_what_no_mail_server_takes_is_asked_for_twenty_times_in_an_hour(desk: Desk) -> None:
    desk.mails.refuses = True
    try:
        reasons = [refused(lambda: desk.calls.send_code(desk.partner, UPDATE))[1] for _ in range(21)]
    finally:
        desk.mails.refuses = False
    assert reasons == ["VERIFICATION_CODE_NOT_SENT"] * 20 + ["VERIFICATION_RATE_LIMITED"]


def test_a_mailbox_is_not_flooded_through_many_partners(calls: Calls, mails: MailServer) -> None:
    contact = f"{new_id()}@example.org"
    partners = [new_id() for _ in range(5)]
    for partner in partners:
        calls.update_partner(partner, verification_code_enabled=True, verification_contact=contact)
    for number in range(20):
        calls.send_code(partners[number // 4], UPDATE)
        mails.code(contact)
    assert refused(lambda: calls.send_code(partners[4], UPDATE)) == LIMITED


@dataclass(frozen=True)
class Counting:
    """A server of two workers that counts the comparisons of codes, and many connections to it."""

    server: ServerProcess
    connections: list[Connection]
    compared: Path

    def comparisons(self) -> int:
        """How many there were."""
        return self.compared.stat().st_size if self.compared.exists() else 0

    def all_answers(self, request: pb.FreezeCustomerRequest, count: int) -> Counter[str]:
        """Makes a call so many times, from all connections at once. Gives how often each outcome came."""
        numbers = iter(range(count))
        outcomes: Counter[str] = Counter()
        lock = Lock()

        def go_on(connection: Connection) -> None:
            mine: Counter[str] = Counter()
            while True:
                with lock:
                    if next(numbers, None) is None:
                        outcomes.update(mine)
                        return
                try:
                    connection.freezes.FreezeCustomer(request, timeout=PATIENCE)
                    mine["OK"] += 1
                except grpc.RpcError as error:
                    mine[error_info(status_of(error)[1]).reason] += 1

        with ThreadPoolExecutor(len(self.connections)) as pool:
            list(pool.map(go_on, self.connections))
        return outcomes


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory, mails: MailServer) -> Iterator[Counting]:
    directory = tmp_path_factory.mktemp("counted")
    compared = directory / "compared"
    variables = {"PYTHONPATH": f"{COUNTING}", "COUNTED_COMPARISONS": f"{compared}"}
    flags = ["--workers=2", *mails.flags()]
    with ExitStack() as opened:
        server = opened.enter_context(ServerProcess(directory / "frostgate.db", *flags, variables=variables))
        connections = [opened.enter_context(Connection(server.address)) for _ in range(CALLERS)]
        yield Counting(server, connections, compared)


@pytest.fixture
def counting(counted: Counting) -> Counting:
    """Begins to count anew."""
    counted.compared.unlink(missing_ok=True)
    return counted


@pytest.mark.long
def test_however_many_guess_at_once_a_code_is_compared_five_times(counting: Counting, mails: MailServer) -> None:
    guesses = size(short=1_500, long=25_000)
    desk = Desk(Calls(counting.server), mails)
    customer_id = desk.customer()
    code = desk.sent(FREEZE, customer_id, scope=RESOURCES)
    request = pb.FreezeCustomerRequest(
        customer_id=customer_id, scope=RESOURCES, reason="guessed", verification_code=another(code)
    )
    outcomes = counting.all_answers(request, guesses)
    assert outcomes == {"VERIFICATION_CODE_INVALID": 10, "VERIFICATION_RATE_LIMITED": guesses - 10}
    assert counting.comparisons() == 5
    workers = {worker_of(connection) for connection in counting.connections}
    assert len(workers) == 2


def test_one_code_that_is_sent_in_parallel_succeeds_once(counting: Counting, mails: MailServer) -> None:
    desk = Desk(Calls(counting.server), mails)
    customer_id = desk.customer()
    code = desk.sent(FREEZE, customer_id, scope=RESOURCES)
    request = pb.FreezeCustomerRequest(
        customer_id=customer_id, scope=RESOURCES, reason="unpaid", verification_code=code
    )
    outcomes = counting.all_answers(request, CALLERS)
    assert outcomes.pop("OK") == 1
    assert outcomes.total() == CALLERS - 1
    assert outcomes.keys() <= {"ALREADY_FROZEN", "VERIFICATION_CODE_INVALID", "VERIFICATION_RATE_LIMITED"}
    assert 1 <= counting.comparisons() <= 5
    (event, *_) = desk.calls.events(customer_id=customer_id).events
    assert event.reason == "unpaid"


def worker_of(connection: Connection) -> str:
    _, worker = checked(connection, check_of(customer_id="a"))
    return worker
