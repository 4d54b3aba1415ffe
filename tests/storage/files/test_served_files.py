"""While a database is served, its files must stay the same: else no change is made, and no process joins."""

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import StartupError, StorageUnavailable
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.head_file import HeadFile
from frostgate_server.storage.sqlite.files.paths import head_path
from frostgate_server.storage.sqlite.opening import PreparedSqliteDatabase, hold_files, join_store, prepare_store
from frostgate_server.storage.sqlite.store import SqliteStore
from storage.files.tampering import (
    ENDINGS,
    REPLACEMENTS,
    Tamper,
    copy_all,
    empty,
    overwrite_by_an_older_one,
    remove,
)
from support.processes import output
from support.server_process import refused_start
from support.subjects import ServiceSubject


@dataclass(frozen=True)
class Served:
    """A database that is served, at revision 5, and a copy of its files from revision 4."""

    path: Path
    older: Path
    held: PreparedSqliteDatabase
    store: SqliteStore

    @property
    def subject(self) -> ServiceSubject:
        return ServiceSubject(self.store)

    def tamper(self, ending: str, tamper: Tamper) -> None:
        tamper(Path(f"{self.path}{ending}"), Path(f"{self.older}{ending}"))


@pytest.fixture
def served(path: Path, tmp_path: Path) -> Iterator[Served]:
    with hold_files(prepare_store(path, create=False)) as held, closing(join_store(held)) as store:
        ServiceSubject(store).associate("d", "p")
        older = copy_all(path, tmp_path / "older")
        ServiceSubject(store).associate("e", "p")
        yield Served(path, older, held, store)


def assert_refuses_changes(served: Served, said: str) -> None:
    for _ in range(2):
        with pytest.raises(StorageUnavailable) as refused:
            served.subject.associate("f", "p")
        assert said in refused.value.detail


def assert_stands_still(served: Served, said: str) -> None:
    """No change is made, no process joins, and what was there is read as before."""
    assert_refuses_changes(served, said)
    with pytest.raises(StartupError, match=r"database .* cannot be"):
        join_store(served.held)
    assert served.subject.state("e") == (FreezeState.ACCOUNT_FROZEN, 5)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("tamper", REPLACEMENTS)
def test_with_a_file_that_was_removed_or_replaced_no_change_is_made(
    served: Served, ending: str, tamper: Tamper
) -> None:
    served.tamper(ending, tamper)
    how = "removed" if tamper is remove else "replaced"
    assert_stands_still(served, f"frostgate.db{ending} was {how} while it was served")


@pytest.mark.parametrize(
    ("ending", "tamper", "said"),
    [
        ("", empty, "frostgate.db was truncated while it was served"),
        ("-wal", empty, "frostgate.db-wal was truncated while it was served"),
        ("-wal", overwrite_by_an_older_one, "frostgate.db-wal was truncated while it was served"),
        ("-head", empty, "the -head file was emptied, or replaced by an older state"),
        ("-head", overwrite_by_an_older_one, "the -head file was emptied, or replaced by an older state"),
    ],
)
def test_with_a_file_that_was_overwritten_no_change_is_made(
    served: Served, ending: str, tamper: Tamper, said: str
) -> None:
    served.subject.disassociate("a")
    served.subject.associate("a", "p")
    served.tamper(ending, tamper)
    assert_refuses_changes(served, said)


def test_a_file_that_is_put_back_lets_changes_go_on(served: Served) -> None:
    output("mv", f"{served.path}-wal", f"{served.path}-aside")
    with pytest.raises(StorageUnavailable):
        served.subject.associate("f", "p")
    output("mv", f"{served.path}-aside", f"{served.path}-wal")
    assert served.subject.associate("f", "p") == 6
    join_store(served.held).close()


def test_a_database_behind_its_head_file_takes_no_changes_and_is_not_joined(served: Served) -> None:
    with closing(HeadFile(head_path(served.path))) as file, file.locked():
        assert file.head is not None
        file.advance(replace(file.head, revision=7))
    assert_stands_still(served, "lost its last changes: it ends at revision 5, but revision 7 was acknowledged")
    with pytest.raises(
        StartupError, match="lost its last changes: it ends at revision 5, but revision 7 was acknowledged"
    ):
        join_store(served.held)


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_new_connection_of_a_process_makes_no_file_anew(served: Served, ending: str) -> None:
    served.tamper(ending, remove)
    with pytest.raises(StartupError, match=f"{ending} was removed"):
        join_store(served.held)
    assert not Path(f"{served.path}{ending}").exists()


def test_a_log_that_another_program_has_folded_in_is_no_cut_one(served: Served) -> None:
    fold = f"import pysqlite3 as s; print(s.connect({str(served.path)!r}).execute('PRAGMA wal_checkpoint(TRUNCATE)'))"
    output(sys.executable, "-c", fold)
    assert Path(f"{served.path}-wal").stat().st_size == 0
    assert served.subject.associate("f", "p") == 6


def test_a_backup_without_the_last_changes_is_refused(served: Served, tmp_path: Path) -> None:
    for ending in ("-wal", "-shm"):
        served.tamper(ending, remove)
    line = refused_start("backup", "--database", str(served.path), "--to", f"{tmp_path}/copy.db")
    assert "lost its last changes: it ends at revision 3, but revision 5 was acknowledged" in line
    assert not (tmp_path / "copy.db").exists()


def test_the_last_connection_folds_a_removed_log_into_the_database(path: Path) -> None:
    with hold_files(prepare_store(path, create=False)) as held, closing(join_store(held)) as store:
        ServiceSubject(store).associate("d", "p")
        output("rm", f"{path}-wal")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT revision FROM head").fetchall() == [(4,)]
