"""Databases that the tests of this folder damage."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from benchmarks.fill import OpenTransaction
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.storage.interface import Store, Transaction
from frostgate_server.storage.sqlite.opening import open_store
from support.subjects import ServiceSubject

CUSTOMERS = 240
"""Enough for several pages in each tree. Every third customer is NORMAL, the others are frozen."""

ASSOCIATED_AGAIN, DISASSOCIATED = "associated-again", "disassociated"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound database, closed: made once for a module. Do not change it, but a copy."""
    path = tmp_path_factory.mktemp("sound") / "frostgate.db"
    with closing(open_store(path, create=True)) as store:
        store.run_transaction(_fill)
    return path


def _fill(transaction: Transaction) -> None:
    # Changes need only `submit_transaction` of a store.
    subject = ServiceSubject(cast(Store, OpenTransaction(transaction)))
    for number in range(CUSTOMERS):
        subject.associate(customer(number), f"p{number % 3}")
        if number % 3 == 0:
            subject.unfreeze(customer(number), FreezeScope.ACCOUNT)
    for customer_id in (ASSOCIATED_AGAIN, DISASSOCIATED):
        subject.associate(customer_id, "p")
        subject.disassociate(customer_id)
    subject.associate(ASSOCIATED_AGAIN, "p")


def copied(database: Path, directory: Path) -> Path:
    """A copy of a closed database and its head file."""
    directory.mkdir(exist_ok=True)
    for ending in ("", "-head"):
        shutil.copy(database.with_name(database.name + ending), directory / f"frostgate.db{ending}")
    return directory / "frostgate.db"


def customer(number: int) -> str:
    """The id of a customer."""
    return f"customer-{number:04d}"
