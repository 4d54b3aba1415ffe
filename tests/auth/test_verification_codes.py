"""Verification codes end to end: a real server, a real mail server, and the codes that went through it."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any
from uuid import uuid4

import grpc
import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.customer_pb2 import FREEZE_EVENT_ACTION_FROZEN
from frostgate.v1.partner_pb2 import VerificationAction
from frostgate_server.storage.sqlite.admin.audit_log import audit_entries
from frostgate_server.storage.sqlite.admin.verify import verify
from google.protobuf.field_mask_pb2 import FieldMask
from support.calls import ACCOUNT, RESOURCES, Calls, check_of, new_id, refusal
from support.mail_server import MailServer, code_in
from support.processes import PATIENCE, output
from support.server_process import COMMAND, Connection, ServerProcess, refused_start
from support.sizes import size
from support.subjects import error_info, status_of
from support.worker_processes import checked

FREEZE = VerificationAction.VERIFICATION_ACTION_FREEZE
UNFREEZE = VerificationAction.VERIFICATION_ACTION_UNFREEZE
DISASSOCIATE = VerificationAction.VERIFICATION_ACTION_DISASSOCIATE
UPDATE = VerificationAction.VERIFICATION_ACTION_UPDATE_PARTNER

CALLERS = 64
COUNTING = Path(__file__).parent.parent / "support" / "counted_comparisons"

REQUIRED = (grpc.StatusCode.FAILED_PRECONDITION, "VERIFICATION_CODE_REQUIRED")
INVALID = (grpc.StatusCode.PERMISSION_DENIED, "VERIFICATION_CODE_INVALID")
LIMITED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "VERIFICATION_RATE_LIMITED")


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with MailServer(tmp_path_factory.mktemp("mail")) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, mails: MailServer) -> Iterator[ServerProcess]:
    database = tmp_path_factory.mktemp("server") / "frostgate.db"
    with ServerProcess(database, "--workers=2", *mails.flags()) as process:
        yield process


class Desk:
    """One partner with codes enabled, and what its people do."""

    def __init__(self, calls: Calls, mails: MailServer) -> None:
        self.calls = calls
        self.mails = mails
        self.partner = new_id()
        self.contact = f"{self.partner}@example.org"
        calls.update_partner(self.partner, verification_code_enabled=True, verification_contact=self.contact)

    def customer(self, state: str = "ACCOUNT_FROZEN") -> str:
        """A customer of this partner, brought into its state with codes."""
        customer_id = new_id()
        self.calls.associate(customer_id=customer_id, partner_id=self.partner)
        if state == "NORMAL":
            code = self.sent(UNFREEZE, customer_id)
            self.calls.unfreeze(customer_id=customer_id, verification_code=code)
        return customer_id

    def sent(self, action: int, *customer_ids: str, scope: int | None = ACCOUNT) -> str:
        """A code, as it came by mail."""
        self.calls.send_code(self.partner, action, *customer_ids, scope=scope)
        return self.mails.code(self.contact)


@pytest.fixture
def desk(calls: Calls, mails: MailServer) -> Desk:
    return Desk(calls, mails)


def refused(call: object) -> tuple[grpc.StatusCode, str]:
    found = refusal(call)  # type: ignore[arg-type]
    return found.code, found.reason


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"


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


def test_a_change_of_the_contact_needs_a_code_to_the_contact_before(desk: Desk) -> None:
    calls, partner, newer = desk.calls, desk.partner, f"new-{desk.contact}"
    assert refused(lambda: calls.update_partner(partner, verification_contact=newer)) == REQUIRED
    code = desk.sent(UPDATE, scope=None)
    assert refused(lambda: calls.update_partner(partner, another(code), verification_contact=newer)) == INVALID
    updated = calls.update_partner(partner, code, verification_contact=newer)
    assert updated.verification_contact == "n***@example.org"
    assert calls.get_partner(partner) == updated
    desk.contact = newer
    assert desk.sent(UPDATE, scope=None)


def test_a_code_that_went_to_the_contact_before_is_good_no_more(desk: Desk) -> None:
    calls, customer_id, newer = desk.calls, desk.customer(), f"new-{desk.contact}"
    code = desk.sent(UPDATE, scope=None)
    calls.update_partner(desk.partner, code, verification_contact=newer)
    assert refused(lambda: calls.update_partner(desk.partner, code, verification_contact=desk.contact)) == INVALID
    change = {"customer_id": customer_id, "scope": RESOURCES}
    assert refused(lambda: calls.freeze(**change, verification_code=code)) == INVALID


def test_codes_are_switched_off_with_a_code_and_then_one_that_is_given_is_ignored(desk: Desk) -> None:
    calls, customer_id = desk.calls, desk.customer()
    assert refused(lambda: calls.update_partner(desk.partner, verification_code_enabled=False)) == REQUIRED
    calls.update_partner(desk.partner, desk.sent(UPDATE, scope=None), verification_code_enabled=False)
    assert calls.freeze(customer_id=customer_id, scope=RESOURCES, verification_code="nonsense").revision
    found = refusal(lambda: calls.send_code(desk.partner, FREEZE, customer_id, scope=ACCOUNT))
    assert (found.code, found.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "VERIFICATION_NOT_ENABLED")


def test_codes_need_a_contact_and_a_partner_exists_from_its_update_on(calls: Calls) -> None:
    partner = new_id()
    assert refused(lambda: calls.get_partner(partner))[1] == "PARTNER_NOT_FOUND"
    assert refused(lambda: calls.send_code(partner, UPDATE))[1] == "PARTNER_NOT_FOUND"
    found = refusal(lambda: calls.update_partner(partner, verification_code_enabled=True))
    assert "must be set" in found.violations["partner.verification_contact"]
    assert refused(lambda: calls.get_partner(partner))[1] == "PARTNER_NOT_FOUND"
    made = calls.update_partner(partner, verification_contact="a@example.org")
    assert (made.partner_id, made.verification_code_enabled, made.verification_contact) == (
        partner,
        False,
        "***@example.org",
    )
    assert list(calls.list(partner_id=partner).customers) == []


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({"verification_contact": "a***@example.org"}, "partner.verification_contact", "is a masked one"),
        ({"verification_contact": "nobody"}, "partner.verification_contact", "must be an e-mail address"),
        ({"verification_contact": "a@b\nBcc: c@d"}, "partner.verification_contact", "must be an e-mail address"),
        ({"verification_contact": "a" * 251 + "@b.c"}, "partner.verification_contact", "at most 254"),
        ({"verification_contact": "=?utf-8?q?a?=@b.c"}, "partner.verification_contact", "must be an e-mail address"),
        ({}, "update_mask", "must name at least one"),
    ],
)
def test_what_is_no_update_is_said_so(calls: Calls, fields: dict[str, str], field: str, problem: str) -> None:
    assert problem in refusal(lambda: calls.update_partner(new_id(), **fields)).violations[field]


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


def test_codes_that_reach_nobody_are_disabled_by_who_has_the_machine(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    disable = ["disable-codes", "--database", str(database), "--partner", "p"]
    assert refused_start(*disable) == f"database {database} does not exist: correct --database"
    with ServerProcess(database, "--mail-server=log") as server:
        Calls(server).update_partner("p", verification_code_enabled=True, verification_contact="nobody@example.org")
        assert "is in use by process" in refused_start(*disable)
        assert server.stop() == 0
    assert "Partner q is not known" in refused_start(*disable[:-1], "q")
    output(*COMMAND, *disable)
    with ServerProcess(database) as server:
        assert Calls(server).update_partner("p", verification_contact="a@example.org").verification_contact
        assert server.stop() == 0
    (_, note, _) = [entry.note for entry in audit_entries(database, 0)]
    assert (note.principal, note.method, note.subject) == ("frostgate-server", "disable-codes", "p")
    assert verify(database).audit_entries == 3


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


def test_an_update_that_changes_nothing_is_not_written_down(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with ServerProcess(database) as server:
        for contact in ("a@example.org", "a@example.org", "b@example.org", "b@example.org"):
            Calls(server).update_partner("p", verification_contact=contact)
        assert server.stop() == 0
    contacts = [entry.note.partner and entry.note.partner.verification_contact for entry in audit_entries(database, 0)]
    assert contacts == ["a@example.org", "b@example.org"]


def test_a_long_path_in_a_mask_is_quoted_in_part(calls: Calls) -> None:
    request = pb.UpdatePartnerRequest(update_mask=FieldMask(paths=["x" * 100_000]))
    request.partner.partner_id = "p"
    found = refusal(lambda: calls._server.freezes.UpdatePartner(request, timeout=PATIENCE))
    assert len(found.violations["update_mask"]) < 300


def test_an_expired_code_is_good_for_nothing(tmp_path: Path, mails: MailServer) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--code-lifetime=1s", *mails.flags()) as server:
        desk = Desk(Calls(server), mails)
        customer_id = desk.customer()
        answer = desk.calls.send_code(desk.partner, FREEZE, customer_id, scope=RESOURCES)
        change = {"customer_id": customer_id, "scope": RESOURCES, "verification_code": mails.code(desk.contact)}
        time.sleep(max(0.0, answer.expire_time.ToNanoseconds() / 1e9 - time.time()))
        assert refused(lambda: desk.calls.freeze(**change)) == INVALID


def test_without_a_mail_server_codes_cannot_be_enabled(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db") as server:
        calls = Calls(server)
        enable: dict[str, Any] = {"verification_code_enabled": True, "verification_contact": "a@example.org"}
        found = refusal(lambda: calls.update_partner("p", **enable))
        assert (found.code, found.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "VERIFICATION_NOT_CONFIGURED")
        assert refused(lambda: calls.get_partner("p"))[1] == "PARTNER_NOT_FOUND"


def test_for_development_a_mail_is_written_to_the_log(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--mail-server=log") as server:
        calls, customer_id = Calls(server), new_id()
        calls.associate(customer_id=customer_id, partner_id="p")
        calls.update_partner("p", verification_code_enabled=True, verification_contact="a@example.org")
        calls.send_code("p", FREEZE, customer_id, scope=RESOURCES)
        code = server.log.read_text().split("Verification code: ")[1][:8]
        assert calls.freeze(customer_id=customer_id, scope=RESOURCES, verification_code=code).revision


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


@pytest.fixture
def counting(tmp_path: Path, mails: MailServer) -> Iterator[Counting]:
    compared = tmp_path / "compared"
    variables = {"PYTHONPATH": f"{COUNTING}", "COUNTED_COMPARISONS": f"{compared}"}
    flags = ["--workers=2", *mails.flags()]
    with ExitStack() as opened:
        server = opened.enter_context(ServerProcess(tmp_path / "frostgate.db", *flags, variables=variables))
        connections = [opened.enter_context(Connection(server.address)) for _ in range(CALLERS)]
        yield Counting(server, connections, compared)


@pytest.mark.long
def test_however_many_guess_at_once_a_code_is_compared_five_times(counting: Counting, mails: MailServer) -> None:
    guesses = size(short=3_000, long=100_000)
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


def test_no_code_is_in_the_database_or_in_the_log(server: ServerProcess, desk: Desk) -> None:
    customer_id = desk.customer()
    code = desk.sent(FREEZE, customer_id, scope=RESOURCES)
    assert (
        refused(lambda: desk.calls.freeze(customer_id=customer_id, scope=RESOURCES, verification_code="4")) == INVALID
    )
    desk.calls.freeze(customer_id=customer_id, scope=RESOURCES, verification_code=code)
    files = sorted(server.log.parent.glob("*"))
    assert server.log in files
    assert len(files) > 4
    assert [file for file in files if code.encode() in file.read_bytes()] == []
