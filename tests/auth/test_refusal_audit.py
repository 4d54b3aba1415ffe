"""What known callers are refused stands in the audit log: soon, once in a while, and never with a secret."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.customer_errors import (
    CustomerNotFound,
)
from frostgate_server.domain.errors import (
    FrostgateError,
    MethodNotPermitted,
    PartnerMismatch,
    StartupError,
    StorageUnavailable,
)
from frostgate_server.domain.verification_errors import VerificationCodeInvalid
from frostgate_server.services.refusal_audit import AT_ONCE, PERIOD, RefusalAudit
from frostgate_server.storage.sqlite.admin.audit_log import audit_entries
from frostgate_server.storage.sqlite.admin.recover import recover
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.opening import open_store
from frostgate_server.storage.sqlite.store import SqliteStore
from support.calls import RESOURCES, Calls, new_id, refusal
from support.processes import output
from support.server_process import COMMAND, ServerProcess, refused_start
from support.worker_processes import eventually

_TRIGGER = """CREATE TRIGGER audit_entries_are_not_removed BEFORE DELETE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END"""

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Moments:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "frostgate.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(path, create=True)) as opened:
        yield opened


@pytest.fixture
def moments() -> Moments:
    return Moments()


@pytest.fixture
def refusals(store: SqliteStore, moments: Moments) -> RefusalAudit:
    return RefusalAudit(store, lambda: NOW, moments)


def notes(path: Path) -> list[AuditNote]:
    return [entry.note for entry in audit_entries(path, 0)]


def test_a_refusal_is_written_with_who_what_and_about_whom(refusals: RefusalAudit, path: Path) -> None:
    refusals.record("sub:a", "GetCustomer", PartnerMismatch("c-1"))
    refusals.record("", "UpdatePartner", MethodNotPermitted("dns:b", "UpdatePartner", known=True))
    refusals.close()
    assert notes(path) == [
        AuditNote("sub:a", "GetCustomer", "PARTNER_MISMATCH", "c-1", NOW),
        AuditNote("dns:b", "UpdatePartner", "PERMISSION_DENIED", "", NOW),
    ]
    assert verify(path).audit_entries == 2


@pytest.mark.parametrize(
    "error",
    [CustomerNotFound(customer_id="c"), StorageUnavailable("full"), MethodNotPermitted("sub:x", "A", known=False)],
)
def test_mistakes_and_strangers_are_not_written(refusals: RefusalAudit, path: Path, error: FrostgateError) -> None:
    refusals.record("sub:a", "GetCustomer", error)
    refusals.close()
    assert notes(path) == []


def test_one_who_is_refused_over_and_over_gets_an_entry_now_and_then(
    refusals: RefusalAudit, moments: Moments, path: Path
) -> None:
    for number in range(AT_ONCE + 5):
        refusals.record("sub:a", "FreezeCustomer", VerificationCodeInvalid(f"p-{number}"))
    refusals.record("sub:b", "FreezeCustomer", VerificationCodeInvalid("p"))
    refusals.record("sub:a", "GetCustomer", PartnerMismatch("c"))
    moments.now += PERIOD
    refusals.record("sub:a", "FreezeCustomer", VerificationCodeInvalid("p-later"), more=2)
    refusals.record("sub:a", "FreezeCustomer", VerificationCodeInvalid("p-at-last"))
    refusals.close()
    written = [(note.principal, note.subject, note.omitted) for note in notes(path)]
    assert written == [
        *[("sub:a", f"p-{number}", 0) for number in range(AT_ONCE)],
        ("sub:b", "p", 0),
        ("sub:a", "c", 0),
        ("sub:a", "p-later", 2 + 5),
        ("sub:a", "p-at-last", 0),
    ]


def test_who_went_away_gets_an_entry_also_while_others_are_busy(
    store: SqliteStore, moments: Moments, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostgate_server.services.refusal_audit.PERIOD", 0.05)
    refusals = RefusalAudit(store, lambda: NOW, moments)
    for _ in range(AT_ONCE + 5):
        refusals.record("sub:a", "GetCustomer", PartnerMismatch("c"))
    moments.now += PERIOD

    def is_told() -> bool:
        refusals.record(f"sub:{moments.now}", "GetCustomer", PartnerMismatch("c"))
        moments.now += PERIOD
        return any(note.omitted for note in notes(path))

    assert eventually(is_told, "told")
    refusals.close()


def test_what_is_left_out_is_told_at_the_end(refusals: RefusalAudit, path: Path) -> None:
    for _ in range(AT_ONCE + 5):
        refusals.record("sub:a", "GetCustomer", PartnerMismatch("c"), more=1)
    refusals.close()
    told = notes(path)
    assert len(told) == AT_ONCE + 1
    assert sum(1 + note.omitted for note in told) == 2 * (AT_ONCE + 5)


def test_a_store_that_fails_stops_nobody(refusals: RefusalAudit, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.rename(path.with_name("elsewhere"))
    refusals.record("sub:a", "GetCustomer", PartnerMismatch("c"))
    refusals.close()
    assert "GetCustomer of sub:a, refused with PARTNER_MISMATCH, was not written" in caplog.text


def test_the_audit_command_tells_what_was_done_and_refused(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with ServerProcess(database, "--mail-server=log", "--workers=1") as server:
        calls, customer_id = Calls(server), new_id()
        calls.associate(customer_id=customer_id, partner_id="p")
        calls.update_partner("p", verification_code_enabled=True, verification_contact="a@example.org")
        calls.send_code("p", 1, customer_id, scope=RESOURCES)
        wrong = {"customer_id": customer_id, "scope": RESOURCES, "verification_code": "4711"}
        assert refusal(lambda: calls.freeze(**wrong)).reason == "VERIFICATION_CODE_INVALID"
        assert server.stop() == 0
    command = [*COMMAND, "audit", "--database", str(database)]
    lines = output(*command)
    assert "4711" not in lines
    told = [json.loads(line) for line in lines.splitlines()]
    assert [(line["sequence"], line["method"], line["reason"], line["subject"]) for line in told] == [
        (1, "UpdatePartner", "", "p"),
        (2, "SendVerificationCode", "", "p"),
        (3, "FreezeCustomer", "VERIFICATION_CODE_INVALID", "p"),
    ]
    assert {line["principal"] for line in told} == {"anonymous"}
    assert told[0]["partner"] == {
        "partner_id": "p",
        "verification_code_enabled": True,
        "verification_contact": "a@example.org",
    }
    assert output(*command, "--after=2") == lines.splitlines(keepends=True)[2]
    assert "does not exist" in refused_start("audit", "--database", str(tmp_path / "other.db"))


def test_an_audit_log_that_lost_its_tail_is_noticed_and_taken_up_far_ahead(path: Path) -> None:
    note = AuditNote("sub:a", "UpdatePartner", "", "p", NOW)
    with closing(open_store(path, create=True)) as store:
        for _ in range(3):
            store.run_transaction(lambda transaction: transaction.append_audit_note(note))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER audit_entries_are_not_removed")
        connection.execute("DELETE FROM audit_entries WHERE sequence = 3")
        ((hash_,),) = connection.execute("SELECT hash FROM audit_entries WHERE sequence = 2").fetchall()
        connection.execute("UPDATE head SET audit_sequence = 2, audit_hash = ?", (hash_,))
        connection.execute(_TRIGGER)
        connection.commit()
    with pytest.raises(StartupError, match="it ends at audit entry 2, but audit entry 3 was acknowledged"):
        open_store(path, create=False)
    recover(path)
    with closing(open_store(path, create=False)) as store:
        store.run_transaction(lambda transaction: transaction.append_audit_note(note))
    assert [entry.sequence for entry in audit_entries(path, 0)] == [1, 2, 10**9 + 4]
    assert verify(path).audit_entries == 3


def test_an_audit_log_that_was_bent_keeps_a_server_from_starting(path: Path) -> None:
    with closing(open_store(path, create=True)) as store:
        head = path.with_name("frostgate.db-head").read_bytes()
        store.run_transaction(
            lambda transaction: transaction.append_audit_note(AuditNote("sub:a", "UpdatePartner", "", "p", NOW))
        )
    path.with_name("frostgate.db-head").write_bytes(head)
    with closing(sqlite3.connect(path)) as connection:
        ((trigger,),) = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'audit_entries_are_not_edited'"
        ).fetchall()
        connection.execute("DROP TRIGGER audit_entries_are_not_edited")
        connection.execute("UPDATE audit_entries SET principal = 'sub:b'")
        connection.execute(trigger)
        connection.commit()
    with pytest.raises(StartupError, match="the hash of audit entry 1 does not match its content"):
        open_store(path, create=False)
