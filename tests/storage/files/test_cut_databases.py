"""A database whose pages are not all there is refused before its write-ahead log is taken up, and stays as it is."""

import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.sqlite.admin.audit_log import audit_entries
from frostgate_server.storage.sqlite.admin.backup import backup
from frostgate_server.storage.sqlite.admin.recover import recover
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.write_ahead_log import FRAME_HEADER_BYTES, HEADER_BYTES
from frostgate_server.storage.sqlite.opening import open_store
from support.processes import output, run

PAGE = 4096

CUSTOMERS_BEFORE, CUSTOMERS = 60, 200
"""Of the crashed database, in its file and altogether: the others are in its log only."""

CHANGE_AND_CRASH = """
import os, signal, sys
from pathlib import Path
from frostgate_server.storage.sqlite.opening import open_store
from support.subjects import ServiceSubject
store = open_store(Path(sys.argv[1]), create=True)
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    ServiceSubject(store).associate(f"customer-{number}", "p")
if sys.argv[4] == "crash":
    os.kill(os.getpid(), signal.SIGKILL)
store.close()
"""


def associate(path: Path, first: int, end: int, *, then: str) -> None:
    """Associates customers in a process of its own, which then ends, or crashes."""
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", CHANGE_AND_CRASH, path, first, end, then]
    run(*map(str, command), variables={"PYTHONPATH": tests})


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database whose process was killed. Its log makes it longer than its file."""
    path = tmp_path_factory.mktemp("crashed") / "frostgate.db"
    associate(path, 0, CUSTOMERS_BEFORE, then="end")
    associate(path, CUSTOMERS_BEFORE, CUSTOMERS, then="crash")
    assert log_of(path).stat().st_size > 100 * PAGE
    return path


@pytest.fixture
def path(crashed: Path, tmp_path: Path) -> Path:
    """A copy of the crashed database, to be damaged."""
    for file in crashed.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / crashed.name


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def assert_opens_with_all(path: Path, revision: int = CUSTOMERS) -> None:
    with closing(open_store(path, create=False)) as store:
        assert store.get_revision() == revision
        assert store.get_customer("customer-0")
        assert store.get_customer(f"customer-{revision - 1}")
    assert verify(path).events == revision


def assert_refused(path: Path, said: str) -> None:
    """Neither a start nor a command takes up the log: each of them leaves both files as they are."""
    before = [path.read_bytes(), log_of(path).read_bytes()]
    for use in (
        lambda: open_store(path, create=True),
        lambda: verify(path),
        lambda: backup(path, path.with_name("copy.db")),
        lambda: recover(path),
        lambda: list(audit_entries(path, 0)),
    ):
        with pytest.raises(StartupError, match=said):
            use()
        assert [path.read_bytes(), log_of(path).read_bytes()] == before


def test_a_database_that_its_log_makes_longer_is_opened_with_all_changes(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
        assert pages * PAGE > path.stat().st_size
    assert_opens_with_all(path)


def last_page_that_is_in_the_file_only(path: Path) -> int:
    """Frames behind the last one with the salts of the header are of an earlier use of the log."""
    log = log_of(path).read_bytes()
    in_log = set()
    for start in range(HEADER_BYTES, len(log), FRAME_HEADER_BYTES + PAGE):
        if log[start + 8 : start + 16] != log[16:24]:
            break
        in_log.add(int.from_bytes(log[start : start + 4], "big"))
    return max(set(range(1, path.stat().st_size // PAGE + 1)) - in_log)


@pytest.mark.parametrize("removed", [1, 100, PAGE])
def test_a_database_that_was_cut_beside_the_log_of_a_crash_is_refused(path: Path, removed: int) -> None:
    page = last_page_that_is_in_the_file_only(path)
    with path.open("r+b") as file:
        file.truncate(page * PAGE - removed)
    assert_refused(path, rf"was truncated: page {page} of \d+ is neither in it nor in its -wal file|malformed")


def test_a_database_that_lacks_only_pages_that_are_in_its_log_is_opened_with_all_changes(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(last_page_that_is_in_the_file_only(path) * PAGE)
    assert_opens_with_all(path)


@pytest.mark.parametrize("left", [100, PAGE - 1, PAGE, 3 * PAGE, 10 * PAGE + 1])
def test_a_database_without_its_schema_is_refused(path: Path, left: int) -> None:
    """SQLite finds no page count then."""
    with path.open("r+b") as file:
        file.truncate(left)
    assert_refused(path, "malformed|was truncated")


@pytest.mark.parametrize("left", [0, 1, 99])
def test_a_database_that_was_cut_to_nothing_keeps_its_log(path: Path, left: int) -> None:
    path.write_bytes(bytes(left))
    assert_refused(path, "is not a frostgate database, or was truncated")


@pytest.mark.parametrize("more", [1, PAGE, 10 * PAGE])
def test_a_file_that_is_merely_longer_is_opened(path: Path, more: int) -> None:
    with path.open("ab") as file:
        file.write(bytes(more))
    assert_opens_with_all(path)


def test_a_database_is_opened_wherever_a_crash_ended_the_folding_in_of_its_log(path: Path, tmp_path: Path) -> None:
    """SQLite writes the pages in their order."""
    folded = tmp_path / "folded.db"
    shutil.copy(path, folded)
    shutil.copy(log_of(path), log_of(folded))
    output(sys.executable, "-c", f"import pysqlite3 as s; s.connect({str(folded)!r}).execute('SELECT * FROM head')")
    sqlite3.connect(folded).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before, after = path.read_bytes(), folded.read_bytes()
    log = log_of(path).read_bytes()
    assert len(after) > len(before)
    for written in range(0, len(after), max(PAGE, len(after) // 12 // PAGE * PAGE) + 1000):
        path.write_bytes(after[:written] + before[written:])
        log_of(path).write_bytes(log)
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
        assert_opens_with_all(path)


def flip_a_bit(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


LOST_TAIL = rf"lost its last changes: it ends at revision \d+, but revision {CUSTOMERS} was acknowledged"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda log: flip_a_bit(log, 0), LOST_TAIL),
        (lambda log: flip_a_bit(log, 17), LOST_TAIL),
        (lambda log: flip_a_bit(log, 40 * PAGE), LOST_TAIL),
        (lambda log: log[: 40 * PAGE], LOST_TAIL),
        (lambda log: log[:20], LOST_TAIL),
        (lambda _: b"", LOST_TAIL),
    ],
    ids=["magic number", "salt", "a page", "cut", "cut in its header", "empty"],
)
def test_a_log_that_lost_acknowledged_changes_is_left_as_it_is(
    path: Path, damage: Callable[[bytes], bytes], said: str
) -> None:
    sound = log_of(path).read_bytes()
    log_of(path).write_bytes(damage(sound))
    before = [path.read_bytes(), log_of(path).read_bytes()]
    with pytest.raises(StartupError, match=said):
        open_store(path, create=False)
    assert [path.read_bytes(), log_of(path).read_bytes()] == before
    log_of(path).write_bytes(sound)
    path.with_name(path.name + "-shm").unlink()
    assert_opens_with_all(path)


def test_the_log_of_another_database_is_not_taken_up(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    associate(other, 0, CUSTOMERS + 50, then="crash")
    before = path.read_bytes()
    shutil.copy(log_of(other), log_of(path))
    path.with_name(path.name + "-shm").unlink()
    with pytest.raises(StartupError, match=r"database .* (was replaced|was truncated|cannot be used)"):
        open_store(path, create=False)
    assert path.read_bytes() == before
    assert log_of(path).read_bytes() == log_of(other).read_bytes()


def test_a_log_with_other_pages_is_not_taken_up(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        before = path.read_bytes()
        output("cp", str(log_of(other)), str(log_of(path)))
    path.with_name(path.name + "-shm").unlink()
    with pytest.raises(StartupError, match=r"database .* cannot be used|is not a frostgate database|another database"):
        open_store(path, create=False)
    assert path.read_bytes() == before


def test_a_log_of_an_earlier_time_is_not_taken_up(path: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier-wal"
    shutil.copy(log_of(path), earlier)
    associate(path, CUSTOMERS, CUSTOMERS + 20, then="end")
    assert not log_of(path).exists()
    shutil.copy(earlier, log_of(path))
    before = path.read_bytes()
    with pytest.raises(StartupError, match=f"lost its last changes: .* but revision {CUSTOMERS + 20} was acknowledged"):
        open_store(path, create=False)
    assert path.read_bytes() == before
    log_of(path).unlink()
    assert_opens_with_all(path, CUSTOMERS + 20)
