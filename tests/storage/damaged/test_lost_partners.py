"""A partner whose row is lost is never taken for one without verification codes."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.domain.partner import Partner
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.opening import open_store
from frostgate_server.storage.sqlite.store import SqliteStore
from storage.damaged.pages import Pages
from support.subjects import ServiceSubject


def hidden_in_its_page(path: Path) -> None:
    pages = Pages(path)
    pages.hide(*pages.find("partners", "p"))
    pages.write()


def without_its_switch(path: Path) -> None:
    """The header of the row says that the column after its id is NULL."""
    pages = Pages(path)
    _, cell = pages.find("partners", "p")
    pages.content[cell.header + 2] = 0
    pages.write()


def deleted(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM partners WHERE partner_id = 'p'")


USES: dict[str, Callable[[SqliteStore], object]] = {
    "read": lambda store: store.get_partner("p"),
    "a customer is frozen": lambda store: ServiceSubject(store).freeze("a", FreezeScope.ACCOUNT_AND_RESOURCES),
    "a customer leaves": lambda store: ServiceSubject(store).disassociate("a"),
    "customers are listed": lambda store: ServiceSubject(store).customers("p", None, None, 10),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("damage", [hidden_in_its_page, without_its_switch, deleted])
def test_a_lost_partner_is_refused(tmp_path: Path, damage: Callable[[Path], None], use: str) -> None:
    path = tmp_path / "frostgate.db"
    with closing(open_store(path, create=True)) as store:
        ServiceSubject(store).associate("a", "p")
        store.run_transaction(lambda transaction: transaction.save_partner(Partner("p", True, "codes@example.org")))
    damage(path)
    with closing(open_store(path, create=False)) as store:
        with pytest.raises(StorageUnavailable):
            USES[use](store)
        assert store.get_revision() == 1


def test_a_lost_partner_is_not_made_anew_by_its_next_customer(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    with closing(open_store(path, create=True)) as store:
        ServiceSubject(store).associate("a", "p")
    hidden_in_its_page(path)
    with closing(open_store(path, create=False)) as store:
        with pytest.raises(StorageUnavailable):
            ServiceSubject(store).associate("b", "p")
        assert ServiceSubject(store).state("b") == (None, 1)
        assert ServiceSubject(store).associate("b", "q") == 2


def test_a_partner_that_never_was_is_none(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "frostgate.db", create=True)) as store:
        assert store.get_partner("p") is None
