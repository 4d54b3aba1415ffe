"""Codes are enabled, disabled and sent to another contact by UpdatePartner."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate_server.storage.sqlite.admin.audit_log import audit_entries
from frostgate_server.storage.sqlite.admin.verify import verify
from google.protobuf.field_mask_pb2 import FieldMask
from support.calls import ACCOUNT, RESOURCES, Calls, new_id, refusal
from support.processes import PATIENCE, output
from support.server_process import COMMAND, Connection, ServerProcess, refused_start
from support.verification_desk import FREEZE, INVALID, REQUIRED, UPDATE, Desk, another, refused
from support.worker_in_process import worker_in_process


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
    with worker_in_process(database) as (address, _), Connection(address) as server:
        assert Calls(server).update_partner("p", verification_contact="a@example.org").verification_contact
    (_, note, _) = [entry.note for entry in audit_entries(database, 0)]
    assert (note.principal, note.method, note.subject) == ("frostgate-server", "disable-codes", "p")
    assert verify(database).audit_entries == 3


def test_an_update_that_changes_nothing_is_not_written_down(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with worker_in_process(database) as (address, _), Connection(address) as server:
        for contact in ("a@example.org", "a@example.org", "b@example.org", "b@example.org"):
            Calls(server).update_partner("p", verification_contact=contact)
    contacts = [entry.note.partner and entry.note.partner.verification_contact for entry in audit_entries(database, 0)]
    assert contacts == ["a@example.org", "b@example.org"]


def test_a_long_path_in_a_mask_is_quoted_in_part(calls: Calls) -> None:
    request = pb.UpdatePartnerRequest(update_mask=FieldMask(paths=["x" * 100_000]))
    request.partner.partner_id = "p"
    found = refusal(lambda: calls._server.freezes.UpdatePartner(request, timeout=PATIENCE))
    assert len(found.violations["update_mask"]) < 300


def test_without_a_mail_server_codes_cannot_be_enabled(tmp_path: Path) -> None:
    with worker_in_process(tmp_path / "frostgate.db") as (address, _), Connection(address) as server:
        calls = Calls(server)
        enable: dict[str, Any] = {"verification_code_enabled": True, "verification_contact": "a@example.org"}
        found = refusal(lambda: calls.update_partner("p", **enable))
        assert (found.code, found.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "VERIFICATION_NOT_CONFIGURED")
        assert refused(lambda: calls.get_partner("p"))[1] == "PARTNER_NOT_FOUND"
