"""Commits are on disk before they are acknowledged, by one SQLite library."""

import pickle
import re
import sys
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import OutcomeUnknown, StartupError, StorageUnavailable
from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.driver import ensure_sound
from frostgate_server.storage.sqlite.files.head_file import SLOT_SIZE, HeadFile, HeadFileDamaged
from frostgate_server.storage.sqlite.opening import open_store, prepare_store
from support.calls import Calls
from support.listings import all_events
from support.processes import output
from support.server_process import ServerProcess
from support.subjects import ServiceSubject


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
        made = store.get_revision()
        assert len(all_events(store)) == made
        store._group_commit._connection.execute("PRAGMA max_page_count = 1000000")
        assert subject.associate("after", "p") == made + 1


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
            store.run_transaction(lambda _: None)
        monkeypatch.setattr("os.fdatasync", synced.append)
        store.run_transaction(lambda _: None)
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
        "from frostgate_server.storage.sqlite.driver import new_migrations, sqlite3; import sys;"
        "assert sys.modules['sqlite3'] is sqlite3;"
        "new_migrations('any');"
        "from sqlite_utils import Database;"
        "assert isinstance(Database(memory=True).conn, sqlite3.Connection)"
    )
    output(sys.executable, "-c", program)


def test_a_worker_that_joins_does_not_load_sqlite_utils(path: Path, tmp_path: Path) -> None:
    prepared = tmp_path / "prepared"
    prepared.write_bytes(pickle.dumps(prepare_store(path, create=False)))
    program = (
        "import pickle, sys; import frostgate_server.process.worker;"
        "from frostgate_server.storage.sqlite.opening import join_store;"
        "join_store(pickle.load(open(sys.argv[1], 'rb'))).close();"
        "print('sqlite_utils' in sys.modules)"
    )
    assert output(sys.executable, "-c", program, prepared) == "False\n"


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
            "kept_answers",
            "partners",
            "restores",
            "verification_codes",
            "verification_counts",
        ],
        1,
    )
