"""Databases that the tests of this folder share."""

from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.storage.sqlite.opening import open_store
from storage.kept_database import Kept
from support.subjects import ServiceSubject


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A database with a history, made once for a module."""
    return Kept(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with three customers, closed."""
    database = tmp_path / "frostgate.db"
    with closing(open_store(database, create=True)) as store:
        subject = ServiceSubject(store)
        for customer_id in ("a", "b", "c"):
            subject.associate(customer_id, "p")
    return database
