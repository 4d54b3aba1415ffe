"""`frostgate-server verify` finds every forgery of what happened up to the last exported head.

The forger knows the schema, and recomputes all checksums and hashes, the customers and partners, and the head file.
"""

import random
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from durability.forgeries import Forgery, all_forgeries, event_forgeries, leave, recompute_all, run
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.head_file import SLOT_SIZE, HeadFile
from frostgate_server.storage.sqlite.transaction import read_head
from storage.damage import contents, tampered_by_sql
from storage.kept_database import CHANGES, Kept, head_path
from support.runner.sizes import size

FORGERIES = size(short=24, long=100_000)
"""At most: there are fewer. The short form takes some of them."""

PLACES = 6
"""Customers, events, entries and partners that are forged in each way."""

SINCE_EXPORT = ("reason", "actor", "request_id", "event_time")
"""Columns of an event that nothing else in a database tells of."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A database with a history: two seconds."""
    return Kept(tmp_path_factory.mktemp("kept"))


def forged(kept: Kept, forgery: Forgery, path: Path) -> Path:
    """A forged copy of the database, with a head file that fits it."""
    shutil.copy(kept.path, path)
    tampered_by_sql(path, lambda connection, _: forgery.make(connection), random.Random(1))
    head_path(path).unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")  # a forged schema is read, too
        heads = connection.execute("SELECT count(*) FROM head").fetchall()
        head = read_head(connection) if heads == [(1,)] else None
    if head is not None:
        with closing(HeadFile(head_path(path))) as file:
            file.advance(head)
    return path


def is_noticed(path: Path, exported: Iterable[Head]) -> bool:
    try:
        verify(path, exported)
    except StartupError:
        return True
    return False


@pytest.mark.timeout(900)
@pytest.mark.long
def test_every_forgery_of_what_happened_up_to_the_last_exported_head_is_noticed(kept: Kept, tmp_path: Path) -> None:
    chance = random.Random(7)
    with closing(sqlite3.connect(kept.path)) as connection:
        forgeries = all_forgeries(connection, chance, PLACES)
    assert len(forgeries) >= 200
    chosen = chance.sample(forgeries, min(FORGERIES, len(forgeries)))
    untouched, unnoticed, effective = contents(kept.path), [], 0
    for forgery in chosen:
        path = forged(kept, forgery, tmp_path / "frostgate.db")
        noticed = is_noticed(path, kept.exported)
        effective += noticed or contents(path) != untouched
        if not noticed and contents(path) != untouched:
            unnoticed.append(forgery.name)
    assert unnoticed == []
    assert effective > 0.9 * len(chosen)
    print(f"{effective} of {len(chosen)} forgeries changed the record")


def test_only_what_happened_since_the_last_exported_head_can_be_rewritten(kept: Kept, tmp_path: Path) -> None:
    """By one who recomputes all that follows. One who does not is noticed, and a gap in the numbers, too."""
    exported = kept.exported[:1]
    for forgery in event_forgeries(CHANGES - 1, recompute_all):
        noticed = is_noticed(forged(kept, forgery, tmp_path / "frostgate.db"), exported)
        assert noticed or not forgery.name.startswith("no event"), forgery.name
        assert not noticed or not forgery.name.startswith(SINCE_EXPORT), forgery.name
    before = event_forgeries(CHANGES // 2, recompute_all)
    for forgery in [*before, *event_forgeries(CHANGES - 1, leave)]:
        assert is_noticed(forged(kept, forgery, tmp_path / "frostgate.db"), exported), forgery.name


def test_a_head_file_that_is_put_back_is_not_noticed(kept: Kept, tmp_path: Path) -> None:
    """The security page says so."""
    path = forged(kept, Forgery("none", leave, leave), tmp_path / "frostgate.db")
    head_path(path).unlink()
    with closing(HeadFile(head_path(path))) as file:
        file.advance(kept.exported[0])
    assert not is_noticed(path, kept.exported)


@pytest.mark.parametrize(
    "forge",
    [
        lambda head: replace(head, hash="0" * 64),
        lambda head: replace(head, revision=head.revision + 1),
        lambda head: replace(head, audit_sequence=head.audit_sequence + 1),
        lambda head: replace(head, audit_hash="0" * 64),
    ],
)
def test_a_head_file_that_tells_of_another_history_is_noticed(
    kept: Kept, tmp_path: Path, forge: Callable[[Head], Head]
) -> None:
    path = forged(kept, Forgery("none", leave, leave), tmp_path / "frostgate.db")
    assert not is_noticed(path, kept.exported)
    head_path(path).unlink()
    with closing(HeadFile(head_path(path))) as file:
        file.advance(forge(kept.exported[-1]))
    assert is_noticed(path, [])


@pytest.mark.parametrize("slot", [0, 1])
def test_a_head_file_of_another_database_or_of_none_is_noticed(kept: Kept, tmp_path: Path, slot: int) -> None:
    path = forged(kept, Forgery("none", leave, leave), tmp_path / "frostgate.db")
    contents_before = head_path(path).read_bytes()
    head_path(path).write_bytes(contents_before.replace(b"-", b"+"))
    assert is_noticed(path, [])
    head_path(path).write_bytes((b"x" * SLOT_SIZE) * (slot + 1))
    assert is_noticed(path, [])


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO answers VALUES ('p', 'FreezeCustomer', '1', 'f', '{}', 1)",
        "INSERT INTO verification_codes VALUES ('p1', 'c', 'd', 1, 0)",
        "INSERT INTO verification_counts VALUES ('p1', 1, 'c', 1)",
    ],
)
def test_what_is_no_part_of_the_record_is_not_verified(kept: Kept, tmp_path: Path, sql: str) -> None:
    """The security page says so."""
    forgery = Forgery("no record", partial(run, sql, ()), leave)
    assert not is_noticed(forged(kept, forgery, tmp_path / "frostgate.db"), kept.exported)
