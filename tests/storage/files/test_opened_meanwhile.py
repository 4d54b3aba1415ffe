"""A start reads a closed database without a lock. If another process opens it meanwhile, the start reads it again."""

from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.integrity import whole_file
from frostgate_server.storage.sqlite.opening import open_store
from frostgate_server.storage.sqlite.reading import OpenedMeanwhile

LOOK = whole_file._ensure_no_page_is_missing


class Looks:
    """Counts the looks. At the end of each of the first `disturbed` looks, another connection opens the database."""

    def __init__(self, disturbed: int) -> None:
        self.count = 0
        self._disturbed = disturbed

    def __call__(self, path: Path, connection: sqlite3.Connection) -> None:
        LOOK(path, connection)
        self.count += 1
        if self.count <= self._disturbed:
            with closing(connect(path)) as other:
                # A commit of another process, in a field of the header that frostgate does not use.
                other.execute(f"PRAGMA user_version = {self.count}")


@pytest.mark.parametrize("disturbed", [0, 1, 9])
def test_a_start_looks_again(path: Path, monkeypatch: pytest.MonkeyPatch, disturbed: int) -> None:
    looks = Looks(disturbed)
    monkeypatch.setattr(whole_file, "_ensure_no_page_is_missing", looks)
    with closing(open_store(path, create=False)) as store:
        assert store.get_revision() == 3
    assert looks.count == disturbed + 1


def test_a_start_gives_up_in_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(100)
    monkeypatch.setattr(whole_file, "_ensure_no_page_is_missing", looks)
    with pytest.raises(OpenedMeanwhile, match="was opened by another process meanwhile: run the command again"):
        open_store(path, create=False)
    assert looks.count == 10
