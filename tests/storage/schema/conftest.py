"""Databases that the tests of this folder change."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.storage.sqlite.opening import open_store
from support.subjects import ServiceSubject


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with three customers, made once for a module, closed."""
    database = tmp_path_factory.mktemp("original") / "frostgate.db"
    with closing(open_store(database, create=True)) as store:
        subject = ServiceSubject(store)
        for customer_id in ("a", "b", "c"):
            subject.associate(customer_id, "p")
    return database


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    for file in original.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / original.name
