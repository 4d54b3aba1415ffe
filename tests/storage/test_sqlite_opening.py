"""The SQLite store: sound files only, one library, and damage that is noticed instead of served."""

import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import OutcomeUnknown, StartupError, StorageUnavailable
from frostgate_server.domain.verification_code import SentCode
from frostgate_server.storage.queries import EventFilter
from frostgate_server.storage.sqlite.admin.backup import backup
from frostgate_server.storage.sqlite.admin.recover import recover
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.head_file import REVISION_JUMP, SLOT_SIZE, Head, HeadFile, HeadFileDamaged
from frostgate_server.storage.sqlite.opening import lock_database, open_store
from support.calls import Calls, refusal
from support.processes import PATIENCE, Process, output
from support.server_process import ServerProcess
from support.subjects import ServiceSubject


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with three customers, closed."""
    database = tmp_path / "frostgate.db"
    with closing(open_store(database, create=True)) as store:
        subject = ServiceSubject(store)
        for customer_id in ("a", "b", "c"):
            subject.associate(customer_id, "p")
    return database


def head_file(path: Path) -> Path:
    return path.with_name(path.name + "-head")


def edit(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def test_a_missing_database_is_made_only_where_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="does not exist: correct --database, or pass --create"):
        lock_database(tmp_path / "typo.db", create=False)
    with pytest.raises(StartupError, match="does not exist: correct --database, or pass --create"):
        open_store(tmp_path / "typo.db", create=False)
    assert not (tmp_path / "typo.db").exists()
    with closing(open_store(tmp_path / "new.db", create=True)) as store:
        assert store.revision() == 0


def test_a_lost_database_is_not_made_anew_even_where_asked_for(path: Path) -> None:
    path.unlink()
    with pytest.raises(StartupError, match=r"is missing, but frostgate\.db-head beside it knows revision 3"):
        open_store(path, create=True)
    assert not path.exists()


def truncate_to_nothing(path: Path) -> None:
    os.truncate(path, 0)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 4096)


def overwrite(path: Path) -> None:
    path.write_bytes(b"these are no pages" * 1000)


def flip_a_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : 2 * 4096] = b"\xff" * 4096
    path.write_bytes(content)


def put_another_in_its_place(path: Path) -> None:
    other = path.with_name("other.db")
    with closing(open_store(other, create=True)) as store:
        for number in range(9):
            ServiceSubject(store).associate(f"other-{number}", "p")
    other.replace(path)


def put_an_older_one_in_its_place(path: Path) -> None:
    older = path.read_bytes()
    with closing(open_store(path, create=False)) as store:
        ServiceSubject(store).associate("d", "p")
    path.write_bytes(older)


def put_no_frostgate_in_its_place(path: Path) -> None:
    path.unlink()
    edit(path, "CREATE TABLE t (x)")


def lose_the_head_file(path: Path) -> None:
    head_file(path).unlink()


def damage_the_head_file(path: Path) -> None:
    head_file(path).write_bytes(b"x" * 2 * SLOT_SIZE)


def rewrite_history(path: Path) -> None:
    edit(path, "UPDATE head SET hash = 'x' || substr(hash, 2)")


def come_from_the_future(path: Path) -> None:
    edit(path, "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('frostgate', 'later', '')")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate_to_nothing, "is not a frostgate database, or cut to nothing"),
        (cut_short, "malformed|was cut short"),
        (overwrite, "file is not a database"),
        (flip_a_page, "malformed"),
        (put_another_in_its_place, "was replaced: its -head file belongs to another one"),
        (put_an_older_one_in_its_place, "lost its tail: it ends at revision 3, but revision 4 was acknowledged"),
        (put_no_frostgate_in_its_place, "is not a frostgate database"),
        (lose_the_head_file, "is at revision 3, but its -head file is gone"),
        (damage_the_head_file, "head file .* cannot be used: it holds no sound line"),
        (rewrite_history, "holds another history than its -head file remembers"),
        (come_from_the_future, r"made by a newer frostgate \(later\): upgrade this one"),
    ],
)
def test_a_damaged_database_is_refused_and_left_as_it_is(path: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StartupError, match=said):
        open_store(path, create=True)
    assert path.read_bytes() == before


def test_a_tail_that_was_never_acknowledged_is_taken_up(path: Path) -> None:
    behind = head_file(path).read_bytes()
    with closing(open_store(path, create=False)) as store:
        ServiceSubject(store).associate("d", "p")
    head_file(path).write_bytes(behind)
    with closing(open_store(path, create=False)) as store:
        assert store.revision() == 4
    with closing(HeadFile(head_file(path))) as caught_up:
        assert caught_up.head is not None
        assert caught_up.head.revision == 4


def test_a_forged_tail_is_refused(path: Path) -> None:
    behind = head_file(path).read_bytes()
    with closing(open_store(path, create=False)) as store:
        ServiceSubject(store).associate("d", "p")
    head_file(path).write_bytes(behind)
    edit(path, "DROP TRIGGER events_are_not_edited")
    edit(path, "UPDATE events SET reason = 'forged' WHERE revision = 4")
    with pytest.raises(StartupError, match="event 4 does not follow the one before"):
        open_store(path, create=False)


@pytest.mark.parametrize("sql", ["UPDATE events SET reason = 'x'", "DELETE FROM events WHERE revision = 1"])
def test_events_are_append_only(path: Path, sql: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="events are append-only"):
        edit(path, sql)


@pytest.mark.parametrize(
    "column",
    ["freeze_state = 1", "revision = revision - 1", "checksum = checksum + 1", "customer_id = 'z'"],
)
def test_an_edited_customer_row_is_noticed_by_every_read(path: Path, column: str) -> None:
    edit(path, f"UPDATE customers SET {column} WHERE customer_id = 'b'")
    customer_id = "z" if "customer_id" in column else "b"
    with closing(open_store(path, create=False)) as store:
        subject = ServiceSubject(store)
        for read in (
            lambda: subject.state(customer_id),
            lambda: subject.states(["a", customer_id]),
            lambda: subject.customer(customer_id),
            lambda: subject.customers("p", None, None, 10),
            lambda: subject.disassociate(customer_id),
        ):
            with pytest.raises(StorageUnavailable) as noticed:
                read()
            assert noticed.value.detail == f"the row of customer {customer_id} does not fit its checksum"
        assert subject.state("a") == (FreezeState.ACCOUNT_FROZEN, 3)


def test_an_edited_row_is_unavailable_to_callers_and_never_an_answer(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db") as server:
        calls = Calls(server)
        customer_id = calls.new_customer()
        edit(tmp_path / "frostgate.db", "UPDATE customers SET freeze_state = 1")
        refused = refusal(lambda: calls.check(customer_id=customer_id))
        assert (refused.code.name, refused.reason) == ("UNAVAILABLE", "STORAGE_UNAVAILABLE")
        assert customer_id not in refused.message
        assert f"the row of customer {customer_id} does not fit its checksum" in server.log.read_text()
        assert calls.check(customer_id="another").message


def associate_many(subject: ServiceSubject) -> None:
    for number in range(10_000):
        subject.associate(f"new-{number}", "p")


def test_a_full_disk_is_unavailable_and_loses_nothing(path: Path) -> None:
    with closing(open_store(path, create=False)) as store:
        subject = ServiceSubject(store)
        pages = store._group_commit._connection.execute("PRAGMA page_count").fetchall()[0][0]
        store._group_commit._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageUnavailable) as full:
            associate_many(subject)
        assert "full" in full.value.detail
        made = store.revision()
        assert len(store.events(EventFilter(), None, 10_000)) == made
        store._group_commit._connection.execute("PRAGMA max_page_count = 1000000")
        assert subject.associate("after", "p") == made + 1


def test_a_database_is_claimed_by_one_server_at_a_time(path: Path) -> None:
    claim = lock_database(path, create=False)
    with pytest.raises(StartupError, match=f"is in use by process {os.getpid()}: stop it"):
        lock_database(path, create=False)
    claim.close()
    lock_database(path, create=False).close()


TESTS = Path(__file__).parent.parent

OPEN_AND_ASSOCIATE = """
import sys
from pathlib import Path
from frostgate_server.domain.caller import Caller
from datetime import timedelta
from frostgate_server.storage.sqlite.opening import open_store
sys.path.insert(0, sys.argv[3])
from support.subjects import freeze_service
store = open_store(Path(sys.argv[1]), create=True)
caller = Caller(waits=lambda: True)
print(freeze_service(store, timedelta(days=1)).associate(caller, sys.argv[2], "p", "").revision)
"""


def test_several_processes_may_make_the_same_database_at_once(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    with ExitStack() as started:
        command = [sys.executable, "-c", OPEN_AND_ASSOCIATE, str(path)]
        processes = [started.enter_context(Process([*command, str(number), str(TESTS)])) for number in range(8)]
        outputs = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    assert sorted(map(int, outputs)) == list(range(1, 9))
    with closing(open_store(path, create=False)) as store:
        assert [event.revision for event in store.events(EventFilter(), None, 10)] == list(range(8, 0, -1))


def test_an_unfinished_creation_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    path.with_name("frostgate.db-new").write_bytes(b"half")
    head_file(path).touch()
    with closing(open_store(path, create=True)) as store:
        assert store.revision() == 0


class DiskFailure(OSError):
    """What a failing disk raises."""


def test_a_change_that_the_head_file_does_not_hold_is_not_acknowledged_but_may_be_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_store(path, create=False)) as store:
        subject = ServiceSubject(store)
        synced: list[int] = []

        def failing(_: int) -> None:
            raise DiskFailure("the disk fails")

        monkeypatch.setattr("os.fdatasync", failing)
        with pytest.raises(OutcomeUnknown) as unknown:
            subject.associate("d", "p")
        assert unknown.value.detail == "the disk fails"
        with pytest.raises(OutcomeUnknown):
            store.write(lambda _: None)
        monkeypatch.setattr("os.fdatasync", synced.append)
        store.write(lambda _: None)
        assert len(synced) == 1
        assert subject.state("d") == (FreezeState.ACCOUNT_FROZEN, 4)


def test_the_head_file_survives_a_write_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "head"
    with closing(HeadFile(file)) as head:
        for revision in (1, 2, 3):
            head.advance(Head("id", revision, "h"))
    content = bytearray(file.read_bytes())
    newest = max((0, 1), key=lambda slot: b'"revision": 3' in content[slot * SLOT_SIZE : (slot + 1) * SLOT_SIZE])
    content[newest * SLOT_SIZE + 20 : newest * SLOT_SIZE + 60] = b"\0" * 40
    file.write_bytes(content)
    with closing(HeadFile(file)) as head:
        assert head.head == Head("id", 2, "h")
    file.write_bytes(b"{}\n")
    with pytest.raises(HeadFileDamaged):
        HeadFile(file)


def test_recovery_takes_up_a_database_short_of_its_tail_and_reuses_no_revision(path: Path) -> None:
    put_an_older_one_in_its_place(path)
    recovered = recover(path)
    assert (recovered.customers, recovered.events, recovered.last_revision) == (3, 3, 3)
    assert recovered.floor == 4 + REVISION_JUMP
    with closing(open_store(path, create=False)) as store:
        assert ServiceSubject(store).associate("e", "p") == recovered.floor + 1
    assert path.with_name("frostgate.db-head-before-recovery").exists()


@pytest.mark.parametrize("damage", [lose_the_head_file, damage_the_head_file, put_another_in_its_place])
def test_recovery_takes_up_a_database_whose_head_file_is_no_use(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    recovered = recover(path)
    with closing(open_store(path, create=False)) as store:
        assert store.revision() == recovered.floor


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut_short, "is not whole"),
        (flip_a_page, "is not whole"),
        (truncate_to_nothing, "is not a frostgate database"),
        (Path.unlink, "does not exist: restore it from a backup first"),
        (rewrite_history, "the head: revision 3 does not stand where the last event, 3, ends"),
        (lambda path: edit(path, "UPDATE customers SET freeze_state = 1"), "does not fit its checksum"),
        (
            lambda path: edit(path, "DELETE FROM customers WHERE customer_id = 'b'"),
            "customer b: it is missing, though its events do not end it",
        ),
    ],
)
def test_recovery_refuses_what_is_not_whole(path: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(path)
    before = head_file(path).read_bytes()
    with pytest.raises(StartupError, match=said):
        recover(path)
    assert head_file(path).read_bytes() == before


def test_a_backup_restored_twice_beside_its_head_file_reuses_no_revision(path: Path) -> None:
    backed_up = path.read_bytes()
    floors = []
    for _ in range(2):
        floors.append(recover(path).floor)
        with closing(open_store(path, create=False)) as store:
            ServiceSubject(store).disassociate("a")
        path.write_bytes(backed_up)
    assert floors[1] == floors[0] + 1 + REVISION_JUMP


def test_one_file_has_one_head_and_one_lock_by_whichever_name(path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    claim = lock_database(path, create=False)
    with pytest.raises(StartupError, match="is in use by process"):
        lock_database(link, create=False)
    with pytest.raises(StartupError, match="is in use by process"):
        recover(link)
    claim.close()
    with closing(open_store(link, create=False)) as store:
        assert store.revision() == 3
    path.with_name("hard.db").hardlink_to(path)
    with pytest.raises(StartupError, match="has another name by a hard link"):
        lock_database(path, create=False)


def test_a_database_that_is_replaced_while_it_is_served_takes_no_changes(path: Path) -> None:
    with closing(open_store(path, create=False)) as store:
        subject = ServiceSubject(store)
        aside = path.rename(path.with_name("aside.db"))
        with pytest.raises(StorageUnavailable):
            subject.associate("d", "p")
        path.write_bytes(aside.read_bytes())
        with pytest.raises(StorageUnavailable) as noticed:
            subject.associate("d", "p")
        assert "was replaced while it was served" in noticed.value.detail
        with ThreadPoolExecutor(1) as elsewhere, pytest.raises(StorageUnavailable):
            elsewhere.submit(store.state, "a").result()


def test_a_locked_database_is_no_reason_to_restore_a_backup(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostgate_server.storage.sqlite.connections.BUSY_TIMEOUT", 0.1)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StartupError, match="cannot be used now: database is locked; correct its permissions, or see"):
        open_store(path, create=False)
    with pytest.raises(StartupError, match="cannot be used now: database is locked; see which other process holds it"):
        recover(path)
    blocker.close()


def test_recovery_refuses_a_database_in_use(path: Path) -> None:
    claim = lock_database(path, create=False)
    with pytest.raises(StartupError, match="is in use by process"):
        recover(path)
    claim.close()


def test_a_backup_of_a_served_database_is_whole_and_can_be_taken_up(tmp_path: Path) -> None:
    database, copy = tmp_path / "frostgate.db", tmp_path / "copy.db"
    with ServerProcess(database) as server:
        calls = Calls(server)
        customer_id = calls.new_customer("NORMAL")
        assert backup(database, copy) == 2
        calls.freeze(customer_id=customer_id)
        assert copy.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StartupError, match="its -head file is gone"):
        open_store(copy, create=False)
    recovered = recover(copy)
    with closing(open_store(copy, create=False)) as store:
        assert store.state(customer_id) == (FreezeState.NORMAL, recovered.floor)


def test_a_backup_takes_no_others_place_and_needs_a_database(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="exists already: name a new file"):
        backup(path, path)
    with pytest.raises(StartupError, match="does not exist: correct --database"):
        backup(tmp_path / "none.db", tmp_path / "copy.db")
    with pytest.raises(StartupError, match="cannot be copied to"):
        backup(path, tmp_path / "no-directory" / "copy.db")
    edit(tmp_path / "foreign.db", "CREATE TABLE t (x)")
    with pytest.raises(StartupError, match="is not a frostgate database"):
        backup(tmp_path / "foreign.db", tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.parametrize("version", [(3, 7, 0), (3, 40, 1), (3, 51, 2)])
def test_an_sqlite_that_loses_commits_is_refused(version: tuple[int, int, int]) -> None:
    number = re.escape(".".join(map(str, version)))
    with pytest.raises(StartupError, match=rf"SQLite {number} can lose committed data .* 3\.51\.3 or later is needed"):
        ensure_sound(version)
    ensure_sound((3, 51, 3))


def test_a_server_loads_one_sqlite_library(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db") as server:
        Calls(server).new_customer()
        processes = [server.process.pid, *server.workers()]
        mapped = [Path(f"/proc/{pid}/maps").read_text() for pid in processes]
    libraries = [{line.split()[-1] for line in lines.splitlines() if "sqlite3" in line} for lines in mapped]
    assert [len(of_a_process) for of_a_process in libraries[:2]] == [1, 1], "the supervisor, and a worker"
    (library,) = set().union(*libraries)
    assert "pysqlite3" in library


def test_sqlite_utils_uses_our_sqlite_library_and_so_does_whoever_asks_for_the_standard_one() -> None:
    program = (
        "from frostgate_server.storage.sqlite.driver import Database, sqlite3; import sys;"
        "assert sys.modules['sqlite3'] is sqlite3;"
        "assert isinstance(Database(memory=True).conn, sqlite3.Connection)"
    )
    output(sys.executable, "-c", program)


def test_commits_are_on_disk_before_they_return(path: Path) -> None:
    with closing(open_store(path, create=False)) as store:
        assert store._group_commit._connection.execute("PRAGMA synchronous").fetchall() == [(2,)]
        assert store._group_commit._connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
        tables = store._group_commit._connection.execute("PRAGMA table_list").fetchall()
    strict = {name: is_strict for _, name, kind, _, _, is_strict in tables if kind == "table" and "sqlite" not in name}
    assert strict == dict.fromkeys(
        [
            "answers",
            "audit_entries",
            "customers",
            "events",
            "head",
            "partners",
            "verification_codes",
            "verification_counts",
        ],
        1,
    )


def test_recovery_leaves_no_code_that_may_have_been_used_since(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    with closing(open_store(path, create=True)) as store:
        store.write(lambda transaction: transaction.put_code("p", SentCode("1", "d", datetime.now(UTC))))
    recover(path)
    with closing(open_store(path, create=False)) as store:
        assert store.write(lambda transaction: transaction.code("p")) is None
