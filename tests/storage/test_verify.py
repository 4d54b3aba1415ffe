"""`frostgate-server verify` finds every tampering with a database, and names it."""

import random
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.backend import DatabaseInconsistent
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.head_file import HeadFile
from frostgate_server.storage.sqlite.opening import open_store
from frostgate_server.storage.sqlite.transaction import read_head
from storage.damage import contents, tampered_by_sql
from storage.kept_database import CHANGES, CUSTOMERS, Kept, head_path
from storage.tamperings import IN_SQL
from support.commands_here import refused_here
from support.runner.sizes import size
from support.server_process import refused_start

TAMPERINGS = size(short=3 * len(IN_SQL), long=1_500)


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
    for number in range(size(short=100, long=1_000)):
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
    assert effective > 30


def test_an_older_database_in_its_place_is_found(kept: Kept, tmp_path: Path) -> None:
    path = Path(shutil.copy(kept.older, tmp_path))
    assert verify(path).events == CHANGES * 3 // 4
    with pytest.raises(
        DatabaseInconsistent, match=f"it ends at revision {CHANGES * 3 // 4}, but a known head is at {CHANGES}"
    ):
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
    assert str(named.value) == "event 17: its hash does not match its content and the hash of the event before"


def test_a_database_without_a_head_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    open_store(path, create=True).close()
    tampered_by_sql(path, lambda connection, _: connection.execute("DELETE FROM head"), random.Random(1))
    for command in (["verify"], ["backup", "--to", f"{tmp_path}/copy"]):
        assert "table head has 0 rows" in refused_here(*command, "--database", str(path))
    assert "table head has 0 rows" in refused_start("serve", "--database", str(path))
