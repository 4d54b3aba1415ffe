"""While a server runs, it makes backups on its schedule. A backup that fails disturbs nothing, and is tried again."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import cast

import pytest
from benchmarks.fill import filled_database
from frostgate_server.storage.backup_directory import BackupDirectory, StoredBackup
from frostgate_server.storage.sqlite.admin.verify import verify
from support.calls import Calls, new_id
from support.commands_here import output_here
from support.server_process import ServerProcess
from support.small_disk import small_disk
from support.worker_processes import eventually, log_with

OFTEN = "--backup-period=1s"
PROGRAM = "frostgate_server.process.scheduled_backup.program"
INCOMPLETE = "frostgate-incomplete.db"
MANY = 10_000


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backups")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, directory: Path) -> Iterator[ServerProcess]:
    """A server that makes a backup each second and keeps two, with what a killed backup left."""
    (directory / INCOMPLETE).write_text("half")
    database = tmp_path_factory.mktemp("served") / "frostgate.db"
    with ServerProcess(database, "--backup-directory", str(directory), OFTEN, "--backup-keep=2") as running:
        yield running


def backup_process(server: ServerProcess) -> int:
    """The id of the process that makes the backups; 0 if there is none."""
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in server.children()}
    return next((pid for pid, line in lines.items() if PROGRAM in line), 0)


def has_ended(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def backup_from(directory: Path, revision: int) -> StoredBackup:
    """The newest backup, once it has this revision."""

    def found() -> StoredBackup | None:
        last = newest(directory)
        return last if last is not None and last.revision >= revision else None

    return cast(StoredBackup, eventually(found, f"a backup at revision {revision}"))


def newest(directory: Path) -> StoredBackup | None:
    return BackupDirectory(directory).find_newest()


def test_changes_are_in_the_next_backup_and_only_the_newest_are_kept(server: ServerProcess, directory: Path) -> None:
    calls = Calls(server)
    seen: set[str] = set()
    for _ in range(3):
        revision = calls.associate(customer_id=new_id()).revision
        seen.add(backup_from(directory, revision).name)
    assert len(seen) == 3
    eventually(lambda: len(BackupDirectory(directory).list()) == 2, "only two backups")
    with server.log.open() as log:
        assert " ERROR " not in log.read()
    assert "is a verified backup of the database at revision" in log_with(server, "is a verified backup")


def test_backups_are_made_at_a_low_priority(server: ServerProcess) -> None:
    pid = eventually(lambda: backup_process(server), "a process of the backups")
    eventually(lambda: os.getpriority(os.PRIO_PROCESS, pid) == 5, "a low priority")


def test_stats_shows_the_last_backup(server: ServerProcess, tmp_path: Path) -> None:
    kept = StoredBackup(datetime(2026, 11, 27, 16, tzinfo=UTC), 7)
    (tmp_path / kept.name).touch()
    command = ["stats", "--database", str(server.log.with_name("frostgate.db"))]
    text = output_here(*command, "--backup-directory", str(tmp_path))
    assert text.endswith(f"\n\nlast backup: {kept.time.isoformat()} at revision 7\n")
    assert "last backup" not in output_here(*command)
    for given, last in (
        (["--backup-directory", str(tmp_path)], {"time": kept.time.isoformat(), "revision": 7}),
        ([], None),
    ):
        assert json.loads(output_here(*command, "--format=json", *given))["last_backup"] == last


def test_a_failed_backup_is_logged_and_tried_again_while_calls_are_answered(tmp_path: Path) -> None:
    missing = tmp_path / "not mounted"
    with ServerProcess(tmp_path / "frostgate.db", "--backup-directory", str(missing), OFTEN) as server:
        log = log_with(server, "no backup was made")
        line = next(line for line in log.splitlines() if "no backup was made" in line)
        assert " ERROR " in line
        assert "No such file or directory" in line
        assert "the next try is in 1 s" in line
        Calls(server).associate(customer_id=new_id())
        missing.mkdir()
        assert backup_from(missing, 1).revision == 1
        assert server.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_a_full_disk_keeps_the_earlier_backups_and_the_next_try_succeeds(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "4m") as disk:
        disk.fill()
        flags = ["--backup-directory", str(disk.directory), OFTEN]
        with ServerProcess(tmp_path / "frostgate.db", *flags, prefix=disk.prefix) as server:
            assert "database or disk is full" in log_with(server, "no backup was made")
            assert disk.files() == ["filler"]
            Calls(server).associate(customer_id=new_id())
            disk.make_room()
            eventually(lambda: any("-rev1.db" in name for name in disk.files()), "a backup")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database whose backup takes some time."""
    return filled_database(tmp_path_factory.mktemp("large"), MANY)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_the_end_of_the_server_ends_a_backup_in_the_middle(large: Path, tmp_path: Path, end: signal.Signals) -> None:
    with ServerProcess(large, "--backup-directory", str(tmp_path), OFTEN) as server:
        eventually((tmp_path / INCOMPLETE).exists, "a backup in progress")
        pid = backup_process(server)
        ended = monotonic()
        server.process.send_signal(end)
        eventually(lambda: has_ended(pid), "the end of the backup")
        assert monotonic() - ended < 2.0
        server.process.wait()
    assert not (tmp_path / INCOMPLETE).exists()
    for one in BackupDirectory(tmp_path).list():
        verify(tmp_path / one.name)


def test_a_killed_backup_leaves_nothing_that_looks_like_a_backup(large: Path, tmp_path: Path) -> None:
    with ServerProcess(large, "--backup-directory", str(tmp_path), OFTEN) as server:
        eventually((tmp_path / INCOMPLETE).exists, "a backup in progress")
        server.crash()
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left[:1] == [INCOMPLETE]
    # SQLite's own files beside it have names that begin with its name.
    assert all(name.startswith(INCOMPLETE) for name in left)
    assert newest(tmp_path) is None
