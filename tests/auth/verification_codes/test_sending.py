"""SendVerificationCode: the mail, its failures, and what counts as sent."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import grpc
import pytest
from support.calls import ACCOUNT, RESOURCES, Calls, new_id, refusal
from support.mail_server import MailServer
from support.processes import PATIENCE
from support.server_process import ServerProcess
from support.verification_desk import DISASSOCIATE, FREEZE, LIMITED, UNFREEZE, UPDATE, Desk, refused
from support.worker_processes import log_with


@pytest.mark.parametrize(
    ("action", "ids", "scope", "field"),
    [
        (0, ["a"], ACCOUNT, "action"),
        (0, [], None, "action"),
        (FREEZE, [], ACCOUNT, "customer_ids"),
        (FREEZE, ["a", "a"], ACCOUNT, "customer_ids[1]"),
        (FREEZE, ["a"], None, "scope"),
        (UNFREEZE, ["a!"], ACCOUNT, "customer_ids[0]"),
        (DISASSOCIATE, ["a", "b"], None, "customer_ids"),
        (DISASSOCIATE, ["a"], ACCOUNT, "scope"),
        (UPDATE, ["a"], None, "customer_ids"),
        (UPDATE, [], ACCOUNT, "scope"),
    ],
)
def test_what_no_code_can_be_sent_for_is_said(
    calls: Calls, action: int, ids: list[str], scope: int | None, field: str
) -> None:
    assert list(refusal(lambda: calls.send_code("p", action, *ids, scope=scope)).violations) == [field]


def test_a_code_that_the_mail_server_does_not_take_does_not_count(desk: Desk) -> None:
    before = desk.sent(UPDATE, scope=None)
    desk.mails.refuses = True
    try:
        for _ in range(6):
            found = refusal(lambda: desk.calls.send_code(desk.partner, UPDATE))
            assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "VERIFICATION_CODE_NOT_SENT")
    finally:
        desk.mails.refuses = False
    desk.calls.update_partner(desk.partner, before, verification_contact=desk.contact)
    assert desk.sent(UPDATE, scope=None)


def test_a_code_that_may_have_been_mailed_stays_good_and_counts(desk: Desk) -> None:
    customer_id = desk.customer()
    desk.mails.vanishes = True
    try:
        found = refusal(lambda: desk.calls.send_code(desk.partner, FREEZE, customer_id, scope=RESOURCES))
    finally:
        desk.mails.vanishes = False
    assert found.reason == "VERIFICATION_CODE_NOT_SENT"
    code = desk.mails.code(desk.contact)
    assert desk.calls.freeze(customer_id=customer_id, scope=RESOURCES, verification_code=code).revision
    for _ in range(4):
        desk.sent(UPDATE, scope=None)
    assert refused(lambda: desk.calls.send_code(desk.partner, UPDATE)) == LIMITED


def test_all_that_is_wrong_with_a_sending_is_said_at_once(calls: Calls) -> None:
    found = refusal(lambda: calls.send_code("p!", 99, "a", "a", "b!", scope=ACCOUNT))
    assert list(found.violations) == ["partner_id", "action", "customer_ids[1]", "customer_ids[2]"]


def test_one_code_at_a_time_is_on_its_way_to_a_partner(tmp_path: Path, mails: MailServer) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--workers=1", *mails.flags()) as server:
        desk = Desk(Calls(server), mails)
        mails.holds = Event()
        mails.held.clear()
        with ThreadPoolExecutor(1) as elsewhere:
            first = elsewhere.submit(desk.calls.send_code, desk.partner, UPDATE)
            try:
                assert mails.held.wait(PATIENCE)
                assert refused(lambda: desk.calls.send_code(desk.partner, UPDATE))[1] == "OVERLOADED"
                assert Desk(desk.calls, mails).customer()
            finally:
                mails.holds.set()
                mails.holds = None
            assert first.result(PATIENCE).sent_to
        assert mails.code(desk.contact)


def test_a_drain_waits_for_a_mail_that_is_under_way(tmp_path: Path, mails: MailServer) -> None:
    database = tmp_path / "frostgate.db"
    with ServerProcess(database, "--workers=1", *mails.flags()) as server:
        desk = Desk(Calls(server), mails)
        mails.holds = Event()
        mails.held.clear()
        with ThreadPoolExecutor(1) as elsewhere:
            sending = elsewhere.submit(desk.calls.send_code, desk.partner, UPDATE)
            try:
                assert mails.held.wait(PATIENCE)
                server.process.terminate()
                assert server.process.next_line() == "frostgate-server is draining\n"
            finally:
                mails.holds.set()
                mails.holds = None
            assert sending.result(PATIENCE).sent_to
        assert mails.code(desk.contact)
        assert server.process.wait(PATIENCE) == 0
    assert "as in a crash" not in server.log.read_text()


def test_for_development_a_mail_is_written_to_the_log(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--mail-server=log") as server:
        calls, customer_id = Calls(server), new_id()
        calls.associate(customer_id=customer_id, partner_id="p")
        calls.update_partner("p", verification_code_enabled=True, verification_contact="a@example.org")
        calls.send_code("p", FREEZE, customer_id, scope=RESOURCES)
        code = log_with(server, "do not give it to anyone").split("Verification code: ")[1][:8]
        assert calls.freeze(customer_id=customer_id, scope=RESOURCES, verification_code=code).revision
