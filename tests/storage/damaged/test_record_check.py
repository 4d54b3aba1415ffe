"""The background check of the record: it finds what does not fit, and nothing else."""

import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.storage.check_report import CheckReport
from frostgate_server.storage.sqlite.admin.recover import recover
from frostgate_server.storage.sqlite.backend import SqliteBackend
from frostgate_server.storage.sqlite.opening import open_store
from storage.damage import edit, tampered_by_sql
from storage.damaged.conftest import CUSTOMERS, copied, customer
from storage.damaged.pages import PAGE_SIZE, Pages
from storage.kept_database import Kept
from storage.tamperings import IN_SQL
from support.subjects import ServiceSubject

ACCOUNT = FreezeScope.ACCOUNT
STORED = Path(__file__).parents[1] / "stored" / "v0.1.0" / "frostgate.db"


def checked(path: Path, passes: int = 1) -> CheckReport:
    """The report after so many passes."""
    backend = SqliteBackend(path)
    with closing(backend.open_record_check(backend.prepare(create=False))) as check:
        for _ in range(passes):
            assert sum(check.run_pass()) > 0
    report = backend.get_check_report()
    assert report is not None
    return report


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound database."""
    return copied(sound, tmp_path)


def test_a_sound_database_fits(path: Path) -> None:
    report = checked(path, passes=2)
    assert (report.findings, report.examples, report.suspects) == (0, (), {})
    assert report.rows > 8 * CUSTOMERS
    assert report.last_pass_time


def test_a_database_of_an_earlier_version_fits(tmp_path: Path) -> None:
    assert checked(copied(STORED, tmp_path)).findings == 0


def test_a_recovered_database_fits(path: Path) -> None:
    recover(path)
    with closing(open_store(path, create=False)) as store:
        ServiceSubject(store).unfreeze(customer(1), ACCOUNT)
    assert checked(path, passes=2).findings == 0


def test_a_database_that_is_changed_all_the_while_fits(path: Path) -> None:
    backend = SqliteBackend(path)
    with (
        closing(open_store(path, create=False)) as store,
        closing(backend.open_record_check(backend.prepare(create=False))) as check,
        ThreadPoolExecutor(3) as pool,
    ):
        changing = [pool.submit(live, ServiceSubject(store), number) for number in range(3)]
        while not all(one.done() for one in changing):
            for _ in check.run_pass():
                pass
            report = backend.get_check_report()
            assert report is not None
            assert report.examples == ()
        for one in changing:
            one.result()


def live(subject: ServiceSubject, number: int) -> None:
    for round_ in range(12):
        subject.freeze_all([customer(one) for one in range(3 * number, CUSTOMERS, 9)], FreezeScope.ACCOUNT)
        mine = f"a-{number}-{round_}"
        subject.associate(mine, f"p-{number}-{round_}")
        subject.disassociate(mine)
        for one in range(3 * number, CUSTOMERS, 90):
            subject.unfreeze(customer(one), ACCOUNT)


@pytest.mark.parametrize("number", range(3 * len(IN_SQL)))
def test_every_tampering_with_the_rows_is_found(kept: Kept, tmp_path: Path, number: int) -> None:
    path = copied(kept.path, tmp_path)
    prepared = SqliteBackend(path).prepare(create=False)
    tampered_by_sql(path, IN_SQL[number % len(IN_SQL)], random.Random(number))
    with closing(SqliteBackend(path).open_record_check(prepared)) as check:
        try:
            for _ in check.run_pass():
                pass
        except StorageUnavailable as error:
            assert "table head" in error.detail  # noqa: PT017 - the other outcome is as good
            return
    report = SqliteBackend(path).get_check_report()
    assert report is not None
    assert report.findings > 0


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A database with a history, made once for a module: two seconds."""
    return Kept(tmp_path_factory.mktemp("kept"))


def unreadable(pages: Pages, page: int) -> None:
    pages.content[pages.page(page)] = bytes(PAGE_SIZE)


def older(pages: Pages, page: int) -> None:
    """The last cell of a leaf is not there yet."""
    *_, last = pages.cells(page)
    pages.hide(page, last)


TREES = ["customers", "customers_of_partner", "events_of_customer", "events_of_partner"]


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("damage", [unreadable, older])
def test_a_damaged_page_of_each_tree_is_found(path: Path, damage: Callable[[Pages, int], None], tree: str) -> None:
    pages = Pages(path)
    damage(pages, random.Random(7).choice(pages.leaves(tree)))
    pages.write()
    report = checked(path)
    assert report.findings > 0
    assert len(report.suspects) < CUSTOMERS * 0.6


@pytest.mark.parametrize("tree", ["events", "events_by_time"])
def test_an_unreadable_page_of_each_tree_is_found(path: Path, tree: str) -> None:
    pages = Pages(path)
    unreadable(pages, pages.leaves(tree)[len(pages.leaves(tree)) // 2])
    pages.write()
    report = checked(path)
    assert report.findings > 0
    assert len(report.suspects) < CUSTOMERS * 0.6


def test_an_older_row_makes_its_customer_a_suspect_until_it_fits_again(path: Path) -> None:
    before = Pages(path)
    page, _ = before.find("customers", customer(3))
    with closing(open_store(path, create=False)) as store:
        ServiceSubject(store).freeze(customer(3), ACCOUNT)
        sound_state, _ = ServiceSubject(store).state(customer(3))
    after = Pages(path)
    newer = bytes(after.content[after.page(page)])
    after.content[after.page(page)] = before.content[before.page(page)]
    after.write()
    assert set(checked(path).suspects) == {customer(3)}
    with closing(open_store(path, create=False)) as store:
        for read in reads(ServiceSubject(store)):
            with pytest.raises(StorageUnavailable):
                read(customer(3))
        assert ServiceSubject(store).state(customer(4))[0] is not None
    after.content[after.page(page)] = newer
    after.write()
    assert checked(path).suspects == {}
    with closing(open_store(path, create=False)) as store:
        assert ServiceSubject(store).state(customer(3))[0] == sound_state


def reads(subject: ServiceSubject) -> Iterator[Callable[[str], object]]:
    yield subject.state
    yield lambda customer_id: subject.states([customer(4), customer_id])
    yield subject.customer
    yield lambda _: subject.customers("p0", None, None, 100)
    yield lambda customer_id: subject.freeze(customer_id, FreezeScope.ACCOUNT_AND_RESOURCES)
    yield subject.disassociate


def test_a_customer_without_events_is_a_suspect(path: Path) -> None:
    edit(
        path,
        "INSERT INTO customers SELECT 'new', freeze_state, revision, checksum, partner_id, freeze_reason, "
        "freeze_time, retention_expire_time, associate_time, update_time FROM customers LIMIT 1",
    )
    assert set(checked(path).suspects) == {"new"}


def test_a_recovery_forgets_suspects(path: Path) -> None:
    sound_copy = copied(path, path.parent / "sound")
    edit(path, f"DELETE FROM customers WHERE customer_id = '{customer(1)}'")
    assert set(checked(path).suspects) == {customer(1)}
    shutil.copy(sound_copy, path)
    recover(path)
    with closing(open_store(path, create=False)) as store:
        assert ServiceSubject(store).state(customer(1))[0] is not None
