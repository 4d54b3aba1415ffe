"""Opening a SQLite database: only sound files are served, and damage is noticed."""

import os
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import StartupError, StorageUnavailable
from frostgate_server.storage.sqlite.admin.recover import recover
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.head_file import HeadFile
from frostgate_server.storage.sqlite.opening import lock_database, open_store
from storage.damage import (
    come_from_the_future,
    cut_short,
    damage_the_head_file,
    edit,
    flip_a_page,
    head_file,
    lose_the_head_file,
    overwrite,
    put_an_older_one_in_its_place,
    put_another_in_its_place,
    put_no_frostgate_in_its_place,
    rewrite_history,
    tampered_by_sql,
    truncate_to_nothing,
)
from support.calls import Calls, refusal
from support.listings import all_events
from support.processes import PATIENCE, Process
from support.server_process import ServerProcess
from support.subjects import ServiceSubject
from support.worker_processes import log_with


def test_a_missing_database_is_made_only_where_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="does not exist: correct --database, or pass --create"):
        lock_database(tmp_path / "typo.db", create=False)
    with pytest.raises(StartupError, match="does not exist: correct --database, or pass --create"):
        open_store(tmp_path / "typo.db", create=False)
    assert not (tmp_path / "typo.db").exists()
    with closing(open_store(tmp_path / "new.db", create=True)) as store:
        assert store.get_revision() == 0


def test_a_lost_database_is_not_made_anew_even_where_asked_for(path: Path) -> None:
    path.unlink()
    with pytest.raises(StartupError, match=r"is missing, but frostgate\.db-head beside it has revision 3"):
        open_store(path, create=True)
    assert not path.exists()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate_to_nothing, "is not a frostgate database, or was truncated"),
        (cut_short, "malformed|was truncated"),
        (overwrite, "file is not a database"),
        (flip_a_page, "malformed"),
        (put_another_in_its_place, "was replaced: its -head file belongs to another one"),
        (
            put_an_older_one_in_its_place,
            "lost its last changes: it ends at revision 3, but revision 4 was acknowledged",
        ),
        (put_no_frostgate_in_its_place, "is not a frostgate database"),
        (lose_the_head_file, "is at revision 3, but its -head file is missing"),
        (damage_the_head_file, "head file .* cannot be used: it has no valid line"),
        (rewrite_history, "has another history than its -head file"),
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
        assert store.get_revision() == 4
    with closing(HeadFile(head_file(path))) as caught_up:
        assert caught_up.head is not None
        assert caught_up.head.revision == 4


def test_a_forged_tail_is_refused(path: Path) -> None:
    behind = head_file(path).read_bytes()
    with closing(open_store(path, create=False)) as store:
        ServiceSubject(store).associate("d", "p")
    head_file(path).write_bytes(behind)
    forge = "UPDATE events SET reason = 'forged' WHERE revision = 4"
    tampered_by_sql(path, lambda connection, _: connection.execute(forge), random.Random(1))
    with pytest.raises(StartupError, match="the hash of event 4 does not match its content and the event before"):
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
            assert noticed.value.detail == f"the row of customer {customer_id} does not match its checksum"
        assert subject.state("a") == (FreezeState.ACCOUNT_FROZEN, 3)


def test_an_edited_row_is_unavailable_to_callers_and_never_an_answer(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db") as server:
        calls = Calls(server)
        customer_id = calls.new_customer()
        edit(tmp_path / "frostgate.db", "UPDATE customers SET freeze_state = 1")
        refused = refusal(lambda: calls.check(customer_id=customer_id))
        assert (refused.code.name, refused.reason) == ("UNAVAILABLE", "STORAGE_UNAVAILABLE")
        assert customer_id not in refused.message
        assert log_with(server, f"the row of customer {customer_id} does not match its checksum")
        assert calls.check(customer_id="another").message


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
from frostgate_server.services.commands import AssociateCommand
from frostgate_server.storage.sqlite.opening import open_store
sys.path.insert(0, sys.argv[3])
from support.subjects import freeze_service
store = open_store(Path(sys.argv[1]), create=True)
caller = Caller(waits=lambda: True)
command = AssociateCommand(customer_ids=(sys.argv[2],), partner_id="p")
print(freeze_service(store, timedelta(days=1)).change_customer(caller, command).result().revision)
"""


def test_several_processes_may_make_the_same_database_at_once(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    with ExitStack() as started:
        command = [sys.executable, "-c", OPEN_AND_ASSOCIATE, str(path)]
        processes = [started.enter_context(Process([*command, str(number), str(TESTS)])) for number in range(8)]
        outputs = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    assert sorted(map(int, outputs)) == list(range(1, 9))
    with closing(open_store(path, create=False)) as store:
        assert [event.revision for event in all_events(store)] == list(range(8, 0, -1))


def test_an_unfinished_creation_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    path.with_name("frostgate.db-new").write_bytes(b"half")
    head_file(path).touch()
    with closing(open_store(path, create=True)) as store:
        assert store.get_revision() == 0


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
        assert store.get_revision() == 3
    path.with_name("hard.db").hardlink_to(path)
    with pytest.raises(StartupError, match=r"has a second name \(hard link\)"):
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
            elsewhere.submit(store.get_freeze_state, "a").result()


def test_a_locked_database_is_no_reason_to_restore_a_backup(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostgate_server.storage.sqlite.connections.BUSY_TIMEOUT", 0.1)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StartupError, match="cannot be used now: database is locked; correct its permissions, or check"):
        open_store(path, create=False)
    with pytest.raises(StartupError, match="cannot be used now: database is locked; check which other process uses it"):
        recover(path)
    blocker.close()
