"""The stored formats, typed out: in the databases of released versions, and in one that is written now.

Every rule stands here a second time, and uses nothing of the server.
"""

import hashlib
import hmac
import json
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pysqlite3 as sqlite3  # noqa: TID251 - these tests import nothing of the server
import pytest
from frostgate.v1 import customer_pb2 as pb
from storage.stored.make import make
from support.recordings.stored_database import STORED, VERSIONS, Call, StoredDatabase

WRITTEN_NOW = "written now"
GENESIS = "0" * 64

SINGLE = ["customer", "revision", "partner_id"]
BATCH = ["results", "revision", "partner_ids"]
CUSTOMER = [
    "customer_id",
    "partner_id",
    "freeze_state",
    "freeze_reason",
    "freeze_time",
    "retention_expire_time",
    "associate_time",
    "update_time",
    "revision",
]
REFUSALS = {
    "CUSTOMER_NOT_FOUND": ["customer_id"],
    "ALREADY_FROZEN": ["customer_id", "freeze_state"],
    "NOT_FROZEN": ["customer_id"],
    "SCOPE_MISMATCH": ["customer_id", "scope", "frozen_scope"],
}
"""The variables of each refusal that a kept batch answer may have. PARTNER_MISMATCH is kept as {"mismatch": id}."""


@pytest.fixture(scope="module")
def written_now(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a database that the current server writes. Starts two servers: about 4 s."""
    directory = tmp_path_factory.mktemp("written-now")
    make(directory)
    return directory


@pytest.fixture(params=[*VERSIONS, WRITTEN_NOW])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> StoredDatabase:
    """A copy of a stored database, or of the one that is written now."""
    if request.param != WRITTEN_NOW:
        return StoredDatabase(STORED / request.param, tmp_path)
    database = StoredDatabase(request.getfixturevalue("written_now"), tmp_path)
    database.kept = list(filter(changed_something, database.kept))
    return database


def changed_something(call: Call) -> bool:
    """Whether a call changed a customer. Version 0.1.0 also kept answers of batches that changed none."""
    return not call.method.startswith("Batch") or any(result.HasField("customer") for result in call.answer().results)


def rows(stored: StoredDatabase, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(stored.path)
    try:
        found: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
        return found
    finally:
        connection.close()


def sha256(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def iso_time(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return time.isoformat(timespec="microseconds")


def kept_answers(stored: StoredDatabase) -> dict[tuple[str, str, str], tuple[str, str]]:
    """The fingerprint and the answer of each kept request."""
    sql = "SELECT principal, method, request_id, fingerprint, answer FROM answers"
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows(stored, sql)}


def key_of(call: Call) -> tuple[str, str, str]:
    return call.caller, call.method, call.message().request_id.lower()


def test_a_kept_answer_has_exactly_these_keys(stored: StoredDatabase) -> None:
    refusals = set()
    customers: list[dict[str, Any] | None] = []
    for (_, method, _), (_, text) in kept_answers(stored).items():
        answer = json.loads(text)
        assert text == json.dumps(answer, separators=(",", ":"))
        if not method.startswith("Batch"):
            assert list(answer) == SINGLE
            assert (answer["customer"] is None) == (method == "DisassociateCustomer")
            customers.append(answer["customer"])
            continue
        assert list(answer) == BATCH
        for _, result in answer["results"]:
            if list(result) == ["customer"]:
                customers.append(result["customer"])
            elif list(result) == ["mismatch"]:
                refusals.add("PARTNER_MISMATCH")
            else:
                assert list(result) == ["refused", "variables"]
                assert list(result["variables"]) == REFUSALS[result["refused"]]
                refusals.add(result["refused"])
    assert refusals == {*REFUSALS, "PARTNER_MISMATCH"}
    assert all(list(customer) == CUSTOMER for customer in customers if customer)


def test_a_kept_answer_holds_the_values_of_its_response(stored: StoredDatabase) -> None:
    kept = kept_answers(stored)
    for call in stored.kept:
        answer, response = json.loads(kept[key_of(call)][1]), call.answer()
        assert answer["revision"] == response.revision
        if not call.method.startswith("Batch"):
            pairs = [(answer["customer"], getattr(response, "customer", pb.Customer()))]
        else:
            assert [customer_id for customer_id, _ in answer["results"]] == [r.customer_id for r in response.results]
            results = zip(answer["results"], response.results, strict=True)
            pairs = [(kept_result.get("customer"), result.customer) for (_, kept_result), result in results]
        for customer, message in pairs:
            if customer is None:
                continue
            for name in ("customer_id", "partner_id", "freeze_state", "revision"):
                assert customer[name] == getattr(message, name)
            assert customer["freeze_reason"] == (message.freeze_reason or None)
            for name in ("freeze_time", "retention_expire_time", "associate_time", "update_time"):
                time = (
                    getattr(message, name).ToDatetime(tzinfo=UTC)
                    if any(field.name == name for field, _ in message.ListFields())
                    else None
                )
                assert customer[name] == (time and time.isoformat())


def test_a_fingerprint_is_a_hash_of_the_content_of_the_request(stored: StoredDatabase) -> None:
    kept = kept_answers(stored)
    assert {key_of(call) for call in stored.kept} == set(kept)
    for call in stored.kept:
        request = call.message()
        content: list[Any]
        match call.method:
            case "AssociateCustomer":
                content = [request.customer_id, None, "Frozen by default on association", request.partner_id]
            case "DisassociateCustomer":
                content = [request.customer_id, None, request.reason.strip()]
            case "FreezeCustomer" | "UnfreezeCustomer":
                content = [request.customer_id, request.scope, request.reason.strip()]
            case _:
                content = [list(request.customer_ids), request.scope, request.reason.strip()]
        assert kept[key_of(call)][0] == sha256(content)


def test_the_hash_of_an_event_is_over_all_its_fields_and_the_hash_before(stored: StoredDatabase) -> None:
    columns = "revision, customer_id, partner_id, action, scope, state_before, state_after, reason, actor, request_id"
    events = rows(stored, f"SELECT {columns}, event_time, retention_expire_time, hash FROM events ORDER BY revision")
    previous = GENESIS
    for *fields, event_time, expire_time, claimed in events:
        previous = sha256([previous, *fields, iso_time(event_time), iso_time(expire_time)])
        assert previous == claimed
    assert rows(stored, "SELECT revision, hash FROM head") == [(events[-1][0], previous)]
    assert {(event[3], event[4]) for event in events} == {(1, None), (2, 1), (2, 2), (3, 1), (3, 2), (4, None)}


def test_the_hash_of_an_audit_entry_is_over_all_its_fields_and_the_hash_before(stored: StoredDatabase) -> None:
    columns = "note_time, sequence, principal, method, reason, subject, omitted"
    partner = "partner_id, verification_code_enabled, verification_contact"
    entries = rows(stored, f"SELECT {columns}, {partner}, hash FROM audit_entries ORDER BY sequence")
    previous = GENESIS
    for time, sequence, principal, method, reason, subject, omitted, partner_id, enabled, contact, claimed in entries:
        changed = None if partner_id is None else [partner_id, bool(enabled), contact]
        content = [sequence, principal, method, reason, subject, iso_time(time), omitted, changed]
        previous = sha256([previous, *content])
        assert previous == claimed
    assert rows(stored, "SELECT audit_sequence, audit_hash FROM head") == [(entries[-1][1], previous)]


def test_the_head_file_has_the_head_with_a_checksum_in_one_of_two_lines(stored: StoredDatabase) -> None:
    columns = ["database_id", "revision", "hash", "audit_sequence", "audit_hash"]
    content = stored.path.with_name("frostgate.db-head").read_bytes()
    (values,) = rows(stored, f"SELECT {', '.join(columns)} FROM head")
    head = dict(zip(columns, values, strict=True))
    checked = {**head, "checksum": zlib.crc32(json.dumps(head).encode())}
    assert len(content) == 1024
    assert json.dumps(checked).ljust(511).encode() + b"\n" in {content[:512], content[512:]}


def test_a_customer_row_has_a_checksum_of_its_state(stored: StoredDatabase) -> None:
    for customer_id, state, revision, checksum in rows(
        stored, "SELECT customer_id, freeze_state, revision, checksum FROM customers"
    ):
        assert checksum == zlib.crc32(f"{customer_id} {state} {revision}".encode())


def test_the_digest_of_a_code_is_an_hmac_over_all_that_it_was_sent_for(stored: StoredDatabase) -> None:
    ((code_id, digest, expire_time, tries),) = rows(
        stored, "SELECT code_id, digest, expire_time, tries FROM verification_codes WHERE partner_id = 'south'"
    )
    freeze, account_and_resources = 1, 2
    content = [code_id, "south", freeze, ["south-2", "south-3"], account_and_resources, stored.code["code"]]
    key = stored.path.with_name("frostgate.db-key").read_bytes().strip()
    assert digest == hmac.new(key, json.dumps(content).encode(), hashlib.sha256).hexdigest()
    assert iso_time(expire_time) == (stored.now + timedelta(minutes=5)).isoformat(timespec="microseconds")
    assert tries == 1


def test_the_current_server_writes_the_same_rows(written_now: Path, tmp_path: Path) -> None:
    (tmp_path / "released").mkdir()
    (tmp_path / "now").mkdir()
    released = StoredDatabase(STORED / VERSIONS[-1], tmp_path / "released")
    now = StoredDatabase(written_now, tmp_path / "now")
    for sql in (
        "SELECT * FROM events ORDER BY revision",
        "SELECT * FROM audit_entries ORDER BY sequence",
        "SELECT * FROM customers ORDER BY customer_id",
        "SELECT * FROM partners ORDER BY partner_id",
        "SELECT * FROM answers WHERE answer LIKE '%\"customer\":%' ORDER BY request_id",
        "SELECT whom, kind, count_time FROM verification_counts ORDER BY whom, kind, count_time",
        "SELECT partner_id, expire_time, tries FROM verification_codes",
        "SELECT revision, hash, audit_sequence, audit_hash FROM head",
    ):
        assert rows(now, sql) == rows(released, sql), sql
    assert [call.response for call in now.kept] == [call.response for call in released.kept]
    assert now.pages == released.pages
