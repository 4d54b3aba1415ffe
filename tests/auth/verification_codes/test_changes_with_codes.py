"""A change needs the code that was mailed for it: for these customers, this scope and this action."""

import time
from pathlib import Path
from uuid import uuid4

import grpc
from frostgate.v1.customer_pb2 import FREEZE_EVENT_ACTION_FROZEN
from support.calls import ACCOUNT, RESOURCES, Calls, refusal
from support.mail_server import MailServer, code_in
from support.server_process import ServerProcess
from support.verification_desk import DISASSOCIATE, FREEZE, INVALID, REQUIRED, UNFREEZE, Desk, another, refused


def test_a_change_needs_the_code_that_was_mailed_for_it(desk: Desk) -> None:
    calls, customer_id = desk.calls, desk.customer()
    change = {"customer_id": customer_id, "scope": RESOURCES}
    assert refused(lambda: calls.freeze(**change)) == REQUIRED
    assert refused(lambda: calls.freeze(**change, verification_code="12345678")) == INVALID
    answer = calls.send_code(desk.partner, FREEZE, customer_id, scope=RESOURCES)
    assert answer.sent_to == f"{desk.contact[0]}***@example.org"
    recipient, mail = desk.mails.mail()
    assert (recipient, mail["From"]) == (desk.contact, "codes@frostgate.test")
    for told in (f"freeze {customer_id}, scope ACCOUNT_AND_RESOURCES", desk.partner):
        assert told in mail.get_content()
    assert code_in(mail) not in mail["Subject"]
    assert refused(lambda: calls.freeze(**change, verification_code=another(code_in(mail)))) == INVALID
    frozen = calls.freeze(**change, verification_code=f" {code_in(mail)} ")
    assert frozen.message == "The account and resources are frozen."
    (event, *_) = calls.events(customer_id=customer_id).events
    assert (event.action, event.revision) == (FREEZE_EVENT_ACTION_FROZEN, frozen.revision)


def test_a_code_is_good_once_and_a_repeated_request_needs_none(desk: Desk) -> None:
    calls, customer_id = desk.calls, desk.customer()
    change = {"customer_id": customer_id, "scope": RESOURCES, "request_id": str(uuid4())}
    code = desk.sent(FREEZE, customer_id, scope=RESOURCES)
    first = calls.freeze(**change, verification_code=code)
    for given in (code, "", "other"):
        assert calls.freeze(**change, verification_code=given) == first
    calls.unfreeze(
        customer_id=customer_id,
        scope=RESOURCES,
        verification_code=desk.sent(UNFREEZE, customer_id, scope=RESOURCES),
    )
    again = {"customer_id": customer_id, "scope": RESOURCES}
    assert refused(lambda: calls.freeze(**again, verification_code=code)) == INVALID


def test_a_code_is_bound_to_customers_scope_and_action(desk: Desk) -> None:
    calls, one, other = desk.calls, desk.customer(), desk.customer()
    code = desk.sent(FREEZE, one, scope=RESOURCES)
    assert refused(lambda: calls.freeze(customer_id=other, scope=RESOURCES, verification_code=code)) == INVALID
    assert refused(lambda: calls.unfreeze(customer_id=one, verification_code=code)) == INVALID
    batch = {"customer_ids": [one, other], "scope": RESOURCES}
    assert refused(lambda: calls.batch_freeze(**batch, verification_code=code)) == INVALID
    assert calls.freeze(customer_id=one, scope=RESOURCES, verification_code=code).revision


def test_a_code_is_bound_to_its_scope(desk: Desk) -> None:
    customer_id = desk.customer("NORMAL")
    code = desk.sent(FREEZE, customer_id)
    wider = {"customer_id": customer_id, "scope": RESOURCES, "verification_code": code}
    assert refused(lambda: desk.calls.freeze(**wider)) == INVALID
    assert desk.calls.freeze(customer_id=customer_id, verification_code=code).revision


def test_a_code_of_another_partner_is_good_for_nothing(desk: Desk, calls: Calls, mails: MailServer) -> None:
    customer_id, stranger = desk.customer(), Desk(calls, mails)
    code = stranger.sent(FREEZE, customer_id, scope=RESOURCES)
    assert refused(lambda: calls.freeze(customer_id=customer_id, scope=RESOURCES, verification_code=code)) == INVALID


def test_a_new_code_ends_the_one_before(desk: Desk) -> None:
    customer_id = desk.customer()
    change = {"customer_id": customer_id, "scope": RESOURCES}
    older = desk.sent(FREEZE, customer_id, scope=RESOURCES)
    newer = desk.sent(FREEZE, customer_id, scope=RESOURCES)
    if older != newer:
        assert refused(lambda: desk.calls.freeze(**change, verification_code=older)) == INVALID
    assert desk.calls.freeze(**change, verification_code=newer).revision


def test_one_code_covers_the_set_of_a_batch(desk: Desk) -> None:
    calls, ids = desk.calls, [desk.customer() for _ in range(3)]
    change = {"customer_ids": ids, "scope": RESOURCES}
    assert refused(lambda: calls.batch_freeze(**change)) == REQUIRED
    code = desk.sent(FREEZE, *reversed(ids), scope=RESOURCES)
    assert refused(lambda: calls.batch_freeze(**change, verification_code=another(code))) == INVALID
    less = {"customer_ids": ids[:2], "scope": RESOURCES}
    assert refused(lambda: calls.batch_freeze(**less, verification_code=code)) == INVALID
    frozen = calls.batch_freeze(**change, verification_code=code)
    assert [result.customer.customer_id for result in frozen.results] == ids
    back = desk.sent(UNFREEZE, *ids, scope=RESOURCES)
    assert len(calls.batch_unfreeze(**change, verification_code=back).results) == len(ids)


def test_a_batch_that_changes_nothing_needs_no_code(desk: Desk) -> None:
    customer_id = desk.customer()
    answer = desk.calls.batch_freeze(customer_ids=[customer_id, "nobody-at-all"], scope=ACCOUNT)
    assert [result.HasField("error") for result in answer.results] == [True, True]


def test_customers_of_several_partners_have_no_code_in_common(desk: Desk, calls: Calls) -> None:
    ids = [desk.customer(), calls.new_customer()]
    found = refusal(lambda: calls.batch_freeze(customer_ids=ids, scope=RESOURCES, verification_code="12345678"))
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert "customers of one partner" in found.violations["customer_ids"]
    assert calls.get(ids[1]).customer.freeze_state == calls.get(ids[0]).customer.freeze_state


def test_a_frozen_customer_is_disassociated_with_a_code_and_another_without(desk: Desk) -> None:
    calls, frozen, normal = desk.calls, desk.customer(), desk.customer("NORMAL")
    assert calls.disassociate(customer_id=normal).revision
    assert refused(lambda: calls.disassociate(customer_id=frozen)) == REQUIRED
    code = desk.sent(DISASSOCIATE, frozen, scope=None)
    assert refused(lambda: calls.disassociate(customer_id=frozen, verification_code=another(code))) == INVALID
    assert calls.disassociate(customer_id=frozen, verification_code=code).revision


def test_a_refused_transition_spends_no_code(desk: Desk) -> None:
    calls, customer_id = desk.calls, desk.customer()
    code = desk.sent(FREEZE, customer_id, scope=RESOURCES)
    already = {"customer_id": customer_id, "scope": ACCOUNT, "verification_code": code}
    for _ in range(6):
        assert refused(lambda: calls.freeze(**already))[1] == "ALREADY_FROZEN"
    assert calls.freeze(customer_id=customer_id, scope=RESOURCES, verification_code=code).revision


def test_validate_only_looks_for_a_code_and_compares_none(desk: Desk) -> None:
    calls, customer_id = desk.calls, desk.customer()
    change = {"customer_id": customer_id, "scope": RESOURCES}
    code = desk.sent(FREEZE, customer_id, scope=RESOURCES)
    assert refused(lambda: calls.freeze(**change, validate_only=True)) == REQUIRED
    for _ in range(6):
        assert calls.freeze(**change, validate_only=True, verification_code="wrong").revision
    assert calls.freeze(**change, verification_code=code).revision


def test_an_expired_code_is_good_for_nothing(tmp_path: Path, mails: MailServer) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--code-lifetime=1s", *mails.flags()) as server:
        desk = Desk(Calls(server), mails)
        customer_id = desk.customer()
        answer = desk.calls.send_code(desk.partner, FREEZE, customer_id, scope=RESOURCES)
        change = {"customer_id": customer_id, "scope": RESOURCES, "verification_code": mails.code(desk.contact)}
        time.sleep(max(0.0, answer.expire_time.ToNanoseconds() / 1e9 - time.time()))
        assert refused(lambda: desk.calls.freeze(**change)) == INVALID


def test_no_code_is_in_the_database_or_in_the_log(tmp_path: Path, mails: MailServer) -> None:
    with ServerProcess(tmp_path / "frostgate.db", *mails.flags()) as server:
        desk = Desk(Calls(server), mails)
        customer_id = desk.customer()
        code = desk.sent(FREEZE, customer_id, scope=RESOURCES)
        change = {"customer_id": customer_id, "scope": RESOURCES}
        assert refused(lambda: desk.calls.freeze(**change, verification_code="4")) == INVALID
        desk.calls.freeze(**change, verification_code=code)
        files = sorted(tmp_path.glob("*"))
        assert len(files) > 4
        assert [file for file in files if code.encode() in file.read_bytes()] == []
        # Only then all of the log is written.
        assert server.stop() == 0
        assert [file for file in tmp_path.glob("*") if code.encode() in file.read_bytes()] == []
