"""`frostgate-server verify` finds whatever was bent in a database, and names it."""

import fcntl
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.domain.errors import FrostgateError, StartupError
from frostgate_server.domain.hash_chain import GENESIS, hash_audit_entry, hash_event
from frostgate_server.domain.partner import Partner
from frostgate_server.process.head_exporter import append_line
from frostgate_server.storage.interface import Transaction
from frostgate_server.storage.sqlite.admin.backup import backup
from frostgate_server.storage.sqlite.admin.exported_heads import DatabaseInconsistent, read_head_file, read_heads
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.head_file import Head, HeadFile
from frostgate_server.storage.sqlite.opening import open_store
from frostgate_server.storage.sqlite.row_mapping import (
    ENTRY_COLUMNS,
    EVENT_COLUMNS,
    checksum,
    make_partner_row,
    read_entry_row,
    read_event_row,
)
from frostgate_server.storage.sqlite.transaction import read_head
from support.calls import Calls
from support.processes import PATIENCE, run
from support.server_process import COMMAND, ServerProcess, refused_start
from support.sizes import size
from support.subjects import ServiceSubject
from support.worker_processes import eventually

TAMPERINGS = size(short=250, long=6_000)
CUSTOMERS = 40
CHANGES = 160


def change_something(subject: ServiceSubject, customer_id: str, scope: FreezeScope, chance: random.Random) -> int:
    """Makes a change, or raises FrostgateError."""
    match chance.choices(["associate", "freeze", "unfreeze", "disassociate"], [4, 8, 4, 1])[0]:
        case "associate":
            return subject.associate(customer_id, f"p{chance.randrange(4)}")
        case "freeze":
            return subject.freeze(customer_id, scope)
        case "unfreeze":
            return subject.unfreeze(customer_id, scope)
        case _:
            return subject.disassociate(customer_id)


def update_a_partner(partner_id: str, number: int, transaction: Transaction) -> None:
    partner = Partner(partner_id, number % 8 == 0, f"codes-{number}@example.org")
    transaction.put_partner(partner)
    transaction.note(AuditNote("anonymous", "UpdatePartner", "", partner_id, datetime.now(UTC), partner=partner))


class Kept:
    """A database with a history, closed; an older state of it; and heads that were exported in between and at last."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "frostgate.db"
        self.older = directory / "older.db"
        self.exported: list[Head] = []
        chance = random.Random(11)
        with closing(open_store(self.path, create=True)) as store:
            subject = ServiceSubject(store)
            made = 0
            while made < CHANGES:
                customer_id = f"c{chance.randrange(CUSTOMERS):02d}"
                scope = chance.choice(list(FreezeScope))
                try:
                    change_something(subject, customer_id, scope, chance)
                except FrostgateError:
                    continue
                made += 1
                if made % 4 == 0:
                    store.write(partial(update_a_partner, f"p{chance.randrange(6)}", made))
                if made in {CHANGES // 2, CHANGES}:
                    self.exported += read_head_file(self.path)
                if made == CHANGES * 3 // 4:
                    backup(self.path, self.older)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("kept"))


def head_path(path: Path) -> Path:
    return path.with_name(path.name + "-head")


ANOTHER_HASH = "CASE substr(hash, 1, 1) WHEN '0' THEN '1' ELSE '0' END || substr(hash, 2)"
"""Whatever the hash is: another one, as long."""


def edit_an_event(connection: sqlite3.Connection, chance: random.Random) -> None:
    revision = chance.randint(1, last(connection))
    column, value = chance.choice(
        [
            ("customer_id", "'c99'"),
            ("partner_id", "'p9'"),
            ("action", "action % 4 + 1"),
            ("scope", "coalesce(scope, 0) % 2 + 1"),
            ("state_before", "coalesce(state_before, 0) % 3 + 1"),
            ("state_after", "coalesce(state_after, 0) % 3 + 1"),
            ("reason", "reason || ' or not'"),
            ("actor", "'nobody'"),
            ("request_id", "request_id || '0'"),
            ("event_time", "event_time + 1"),
            ("retention_expire_time", "coalesce(retention_expire_time, event_time) + 1"),
            ("hash", ANOTHER_HASH),
        ]
    )
    connection.execute(f"UPDATE events SET {column} = {value} WHERE revision = ?", (revision,))


def delete_an_event(connection: sqlite3.Connection, chance: random.Random) -> None:
    connection.execute("DELETE FROM events WHERE revision = ?", (chance.randint(1, last(connection)),))


def swap_two_events(connection: sqlite3.Connection, chance: random.Random) -> None:
    one, other = chance.sample(range(1, last(connection) + 1), 2)
    for now, then in ((one, -1), (other, one), (-1, other)):
        connection.execute("UPDATE events SET revision = ? WHERE revision = ?", (then, now))


def delete_the_tail(connection: sqlite3.Connection, chance: random.Random) -> None:
    end = chance.randint(0, last(connection) - 1)
    connection.execute("DELETE FROM events WHERE revision > ?", (end,))
    (found,) = connection.execute("SELECT hash FROM events WHERE revision = ?", (end,)).fetchall() or [(GENESIS,)]
    connection.execute("UPDATE head SET revision = ?, hash = ?", (end, found[0]))


def rewrite_an_event_and_all_hashes_after_it(connection: sqlite3.Connection, chance: random.Random) -> None:
    revision = chance.randint(1, last(connection))
    connection.execute("UPDATE events SET reason = 'another one', actor = 'nobody' WHERE revision = ?", (revision,))
    recompute(connection)


def forget_a_customer_and_recompute_all_hashes(connection: sqlite3.Connection, chance: random.Random) -> None:
    rows = connection.execute("SELECT DISTINCT customer_id FROM events WHERE revision <= ?", (CHANGES // 2,)).fetchall()
    (customer_id,) = chance.choice(rows)
    connection.execute("DELETE FROM events WHERE customer_id = ?", (customer_id,))
    connection.execute("DELETE FROM customers WHERE customer_id = ?", (customer_id,))
    recompute(connection)


def recompute(connection: sqlite3.Connection) -> None:
    """As one who knows how hashes are made."""
    hash_ = GENESIS
    for row in connection.execute(f"SELECT {EVENT_COLUMNS} FROM events ORDER BY revision").fetchall():
        hash_ = hash_event(hash_, read_event_row(row))
        connection.execute("UPDATE events SET hash = ? WHERE revision = ?", (hash_, row[0]))
    connection.execute("UPDATE head SET hash = ?", (hash_,))


def edit_a_customer(connection: sqlite3.Connection, chance: random.Random) -> None:
    customer_id = chance.choice(customers(connection))
    column, value = chance.choice(
        [
            ("freeze_state", "freeze_state % 3 + 1"),
            ("revision", "revision + 1"),
            ("partner_id", "'p' || (substr(partner_id, 2) + 1) % 4"),
            ("freeze_reason", "coalesce(freeze_reason, '') || '!'"),
            ("freeze_time", "coalesce(freeze_time, 0) + 1"),
            ("retention_expire_time", "coalesce(retention_expire_time, 0) + 1"),
            ("associate_time", "associate_time + 1"),
            ("update_time", "update_time - 1"),
        ]
    )
    connection.execute(f"UPDATE customers SET {column} = {value} WHERE customer_id = ?", (customer_id,))
    row = connection.execute("SELECT freeze_state, revision FROM customers WHERE customer_id = ?", (customer_id,))
    ((state, revision),) = row.fetchall()
    fitting = checksum(customer_id, state, revision)
    connection.execute("UPDATE customers SET checksum = ? WHERE customer_id = ?", (fitting, customer_id))


def delete_a_customer(connection: sqlite3.Connection, chance: random.Random) -> None:
    connection.execute("DELETE FROM customers WHERE customer_id = ?", (chance.choice(customers(connection)),))


def invent_a_customer(connection: sqlite3.Connection, chance: random.Random) -> None:
    customer_id, template = f"c{chance.randrange(CUSTOMERS):02d}x", chance.choice(customers(connection))
    connection.execute(
        "INSERT INTO customers SELECT ?, freeze_state, revision, ?, partner_id, freeze_reason, freeze_time, "
        "retention_expire_time, associate_time, update_time FROM customers WHERE customer_id = ?",
        (customer_id, 0, template),
    )
    ((state, revision),) = connection.execute(
        "SELECT freeze_state, revision FROM customers WHERE customer_id = ?", (customer_id,)
    ).fetchall()
    fitting = checksum(customer_id, state, revision)
    connection.execute("UPDATE customers SET checksum = ? WHERE customer_id = ?", (fitting, customer_id))


def bend_the_partners(connection: sqlite3.Connection, chance: random.Random) -> None:
    one = "WHERE partner_id = (SELECT min(partner_id) FROM partners)"
    bends = [
        f"INSERT INTO partners (partner_id) VALUES ('p{chance.randrange(10, 99)}')",
        f"DELETE FROM partners {one}",
        f"UPDATE partners SET verification_code_enabled = 1 - verification_code_enabled {one}",
        f"UPDATE partners SET verification_contact = 'mallory@example.org' {one}",
    ]
    connection.execute(chance.choice(bends))


def edit_an_audit_entry(connection: sqlite3.Connection, chance: random.Random) -> None:
    column, value = chance.choice(
        [
            ("principal", "'nobody'"),
            ("method", "method || 's'"),
            ("reason", "reason || '!'"),
            ("subject", "'p9'"),
            ("note_time", "note_time + 1"),
            ("omitted", "omitted + 1"),
            ("partner_id", "NULL"),
            ("verification_code_enabled", "1 - verification_code_enabled"),
            ("verification_contact", "'mallory@example.org'"),
            ("hash", ANOTHER_HASH),
        ]
    )
    connection.execute(
        f"UPDATE audit_entries SET {column} = {value} WHERE sequence = ?", (an_entry(connection, chance),)
    )


def delete_an_audit_entry(connection: sqlite3.Connection, chance: random.Random) -> None:
    connection.execute("DELETE FROM audit_entries WHERE sequence = ?", (an_entry(connection, chance),))


def delete_the_tail_of_the_audit_log(connection: sqlite3.Connection, chance: random.Random) -> None:
    """As one who puts the partners back to what they were, too."""
    end = an_entry(connection, chance) - 1
    connection.execute("DELETE FROM audit_entries WHERE sequence > ?", (end,))
    (found,) = connection.execute("SELECT hash FROM audit_entries WHERE sequence = ?", (end,)).fetchall() or [
        (GENESIS,)
    ]
    connection.execute("UPDATE head SET audit_sequence = ?, audit_hash = ?", (end, found[0]))
    put_the_partners_back(connection)


def rewrite_an_audit_entry_and_all_hashes_after_it(connection: sqlite3.Connection, chance: random.Random) -> None:
    """An entry from before the last head was exported, as all are."""
    update = "UPDATE audit_entries SET verification_contact = 'mallory@example.org' WHERE sequence = ?"
    connection.execute(update, (an_entry(connection, chance),))
    hash_ = GENESIS
    for row in connection.execute(f"SELECT {ENTRY_COLUMNS} FROM audit_entries ORDER BY sequence").fetchall():
        hash_ = hash_audit_entry(hash_, read_entry_row(row))
        connection.execute("UPDATE audit_entries SET hash = ? WHERE sequence = ?", (hash_, row[0]))
    connection.execute("UPDATE head SET audit_hash = ?", (hash_,))
    put_the_partners_back(connection)


def put_the_partners_back(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE partners SET verification_code_enabled = 0, verification_contact = ''")
    entries = connection.execute(f"SELECT {ENTRY_COLUMNS} FROM audit_entries ORDER BY sequence").fetchall()
    for entry in map(read_entry_row, entries):
        if entry.note.partner:
            connection.execute("INSERT OR REPLACE INTO partners VALUES (?, ?, ?)", make_partner_row(entry.note.partner))


def an_entry(connection: sqlite3.Connection, chance: random.Random) -> int:
    ((sequence,),) = connection.execute("SELECT max(sequence) FROM audit_entries").fetchall()
    return chance.randint(1, sequence)


def bend_the_head(connection: sqlite3.Connection, chance: random.Random) -> None:
    connection.execute(
        chance.choice(
            [
                "UPDATE head SET revision = revision - 1",
                "UPDATE head SET revision = revision + 7",
                f"UPDATE head SET hash = {ANOTHER_HASH}",
                "UPDATE head SET audit_sequence = audit_sequence - 1",
                f"UPDATE head SET audit_hash = {ANOTHER_HASH.replace('hash', 'audit_hash')}",
                "UPDATE head SET database_id = database_id || '0'",
                "DELETE FROM head",
            ]
        )
    )


def bend_the_schema(connection: sqlite3.Connection, chance: random.Random) -> None:
    bends = [
        "DROP TRIGGER events_are_not_edited",
        "DROP INDEX events_by_time",
        "CREATE TABLE more (x)",
        "CREATE TABLE more_sqlite_ (x)",
        "CREATE TRIGGER a_sqlite_ BEFORE UPDATE ON customers BEGIN SELECT RAISE(ABORT, 'no'); END",
        "DROP TABLE answers",
    ]
    connection.execute(chance.choice(bends))


IN_SQL: list[Callable[[sqlite3.Connection, random.Random], None]] = [
    edit_an_event,
    edit_an_event,
    delete_an_event,
    swap_two_events,
    delete_the_tail,
    rewrite_an_event_and_all_hashes_after_it,
    forget_a_customer_and_recompute_all_hashes,
    edit_a_customer,
    edit_a_customer,
    delete_a_customer,
    invent_a_customer,
    bend_the_partners,
    edit_an_audit_entry,
    delete_an_audit_entry,
    delete_the_tail_of_the_audit_log,
    rewrite_an_audit_entry_and_all_hashes_after_it,
    bend_the_head,
]


def customers(connection: sqlite3.Connection) -> list[str]:
    return [customer_id for (customer_id,) in connection.execute("SELECT customer_id FROM customers").fetchall()]


def last(connection: sqlite3.Connection) -> int:
    ((revision,),) = connection.execute("SELECT max(revision) FROM events").fetchall()
    return int(revision)


def tampered_by_sql(
    path: Path, tamper: Callable[[sqlite3.Connection, random.Random], None], chance: random.Random
) -> None:
    """The triggers, which are no defence against who has the file, are put back as they were."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        tamper(connection, chance)
        for _, sql in triggers:
            connection.execute(sql)


def contents(path: Path) -> list[list[tuple[object, ...]]] | None:
    """All rows of the record; None if they cannot be read."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            tables = ("head", "events", "audit_entries", "customers", "partners")
            return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    except (sqlite3.Error, UnicodeDecodeError):
        return None


def as_one_who_rewrites_the_head_file_too(path: Path) -> None:
    """So that nothing beside the database tells of what was there before."""
    head_path(path).unlink()
    with closing(sqlite3.connect(path)) as connection:
        heads = connection.execute("SELECT count(*) FROM head").fetchall()[0][0]
        head = read_head(connection) if heads else None
    if head is not None:
        with closing(HeadFile(head_path(path))) as file:
            file.advance(head)


def test_a_database_that_nobody_touched_fits(kept: Kept) -> None:
    verified = verify(kept.path, kept.exported)
    assert (verified.events, verified.head) == (CHANGES, kept.exported[-1])
    assert verified.customers > CUSTOMERS / 2


@pytest.mark.timeout(600)
@pytest.mark.long
def test_every_tampering_with_the_rows_is_found(kept: Kept, tmp_path: Path) -> None:
    untouched = contents(kept.path)
    path = tmp_path / "frostgate.db"
    found: dict[str, int] = {}
    for number in range(TAMPERINGS):
        chance = random.Random(number)
        shutil.copy(kept.path, path)
        shutil.copy(head_path(kept.path), head_path(path))
        tamper = IN_SQL[number % len(IN_SQL)]
        tampered_by_sql(path, tamper, chance)
        assert contents(path) != untouched, f"{tamper.__name__}, number {number}, changed nothing"
        as_one_who_rewrites_the_head_file_too(path)
        with pytest.raises(DatabaseInconsistent):
            verify(path, kept.exported)
        found[tamper.__name__] = found.get(tamper.__name__, 0) + 1
    print(found)


@pytest.mark.parametrize("number", range(16))
def test_a_bent_schema_is_found(kept: Kept, tmp_path: Path, number: int) -> None:
    path = Path(shutil.copy(kept.path, tmp_path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        bend_the_schema(connection, random.Random(number))
    with pytest.raises(
        DatabaseInconsistent, match=r"the schema: (trigger|index|table) \w+ is not as frostgate made it"
    ):
        verify(path, kept.exported)


@pytest.mark.parametrize("pages", [1, 2, 5, 10, 15])
def test_a_truncated_file_is_found(kept: Kept, tmp_path: Path, pages: int) -> None:
    path = Path(shutil.copy(kept.path, tmp_path))
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - 4096 * pages)
    with pytest.raises(StartupError):
        verify(path, kept.exported)


@pytest.mark.long
def test_flipped_bytes_are_found(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    content, untouched, effective = kept.path.read_bytes(), contents(kept.path), 0
    for number in range(size(short=100, long=4_000)):
        chance = random.Random(number)
        bent = bytearray(content)
        start = 4096 * chance.randrange(1, len(content) // 4096)
        for place in chance.sample(range(start + 8, start + 4096), 60):
            bent[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bent)
        if contents(path) == untouched:
            continue  # it hit what holds nothing
        effective += 1
        with pytest.raises(StartupError):
            verify(path, kept.exported)
    assert effective > 50


def test_an_older_database_in_its_place_is_found(kept: Kept, tmp_path: Path) -> None:
    path = Path(shutil.copy(kept.older, tmp_path))
    assert verify(path).events == CHANGES * 3 // 4
    with pytest.raises(DatabaseInconsistent, match=f"it ends at revision {CHANGES * 3 // 4}, but {CHANGES} was there"):
        verify(path, kept.exported)


def test_what_does_not_fit_is_named(kept: Kept, tmp_path: Path) -> None:
    path = Path(shutil.copy(kept.path, tmp_path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER events_are_not_edited")
        connection.execute("UPDATE events SET actor = 'nobody' WHERE revision = 17")
        connection.execute(
            "CREATE TRIGGER events_are_not_edited BEFORE UPDATE ON events\n"
            "BEGIN\n    SELECT RAISE(ABORT, 'events are append-only');\nEND"
        )
    with pytest.raises(DatabaseInconsistent) as named:
        verify(path)
    assert str(named.value) == "event 17: its hash does not follow from it and the event before"


def test_a_head_of_another_database_is_found(kept: Kept) -> None:
    with pytest.raises(DatabaseInconsistent, match="but a head of another is known"):
        verify(kept.path, [replace(kept.exported[0], database_id="another")])


def test_heads_that_are_none_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "heads"
    good = json.dumps(asdict(Head("a", 1, "h")))
    for line in (
        "{}",
        "no json",
        "[]",
        '{"database_id": "a", "revision": 1}',
        good.replace("1", '"1"', 1),
        "[" * 10_000,
    ):
        file.write_text(f"{good}\n\n{line}\n")
        with pytest.raises(StartupError, match=f"exported heads cannot be read from {file}, line 3"):
            read_heads(file)
    for content in (b"", b"\n", b"\xff"):
        file.write_bytes(content)
        with pytest.raises(StartupError, match=f"exported heads cannot be read from {file}: "):
            read_heads(file)


def test_heads_are_not_exported_to_a_file_of_the_database(tmp_path: Path) -> None:
    database = ["--database", f"{tmp_path}/f.db", "--create"]
    for end in ("", "-wal", "-head", "-key"):
        line = refused_start("serve", *database, "--head-export", f"{tmp_path}/../{tmp_path.name}/f.db{end}")
        assert "head_export must not be a file of the database itself" in line


def test_a_database_without_a_head_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    open_store(path, create=True).close()
    tampered_by_sql(path, lambda connection, _: connection.execute("DELETE FROM head"), random.Random(1))
    for command in (["serve"], ["verify"], ["backup", "--to", f"{tmp_path}/copy"]):
        assert "table head has 0 rows" in refused_start(*command, "--database", str(path))


def test_a_served_database_is_verified_against_the_heads_that_it_exported(tmp_path: Path) -> None:
    database, heads = tmp_path / "frostgate.db", tmp_path / "heads"
    flags = ["--head-export", str(heads), "--head-export-period", "1s"]
    with ServerProcess(database, *flags) as server:
        calls = Calls(server)
        *_, customer_id = [calls.new_customer("NORMAL") for _ in range(20)]
        said = verify_command(database, "--heads", str(heads))
        assert said.returncode == 0
        assert "fits: 20 customers, 40 events up to revision 40" in said.stdout
        assert server.stop() == 0
    exported = [json.loads(line) for line in heads.read_text().splitlines()]
    assert exported[-1]["revision"] == 40
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        edit = "UPDATE customers SET freeze_reason = 'none' WHERE customer_id = ?"
        assert connection.execute(edit, (customer_id,)).rowcount == 1
    said = verify_command(database, "--heads", str(heads))
    assert said.returncode == 1
    assert said.stderr.startswith("frostgate-server: customer ")


def test_a_head_file_that_was_replaced_is_not_exported_but_said(tmp_path: Path) -> None:
    database, heads = tmp_path / "frostgate.db", tmp_path / "heads"
    flags = ["--head-export", str(heads), "--head-export-period", "1s"]
    with ServerProcess(database, *flags) as server:
        Calls(server).new_customer()
        content = head_path(database).read_bytes()
        head_path(database).unlink()
        head_path(database).write_bytes(content)
        before = len(heads.read_text().splitlines())
        assert server.stop() == 0
        assert "the head cannot be exported: " in server.log.read_text()
        assert "was replaced while it was served" in server.log.read_text()
    assert len(heads.read_text().splitlines()) <= before + 1


def test_a_place_that_takes_no_lines_does_not_stop_the_server(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with ServerProcess(tmp_path / "frostgate.db", "--head-export", str(fifo)) as server:
        assert Calls(server).new_customer()
        assert server.stop() == 0
        assert "the head cannot be exported: " in server.log.read_text()


def test_a_server_whose_lines_nobody_reads_drains_all_the_same(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--head-export", "-", "--head-export-period", "1s") as server:
        fcntl.fcntl(server.output, fcntl.F_SETPIPE_SZ, 4096)
        eventually(lambda: "nobody reads stdout" in server.log.read_text(), "said")
        assert Calls(server).new_customer()
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0


def test_an_unfinished_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    file = tmp_path / "heads"
    append_line(file, '{"whole": 1}')
    with file.open("a") as cut_short:
        cut_short.write('{"half')
    append_line(file, '{"whole": 2}')
    assert file.read_text() == '{"whole": 1}\n{"half\n{"whole": 2}\n'


def test_heads_are_announced_where_no_file_is_named(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--head-export", "-") as server:
        head = json.loads(server.process.next_line())
        assert (head["revision"], head["hash"]) == (0, GENESIS)


def verify_command(database: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return run(*COMMAND, "verify", "--database", database, *flags)
