"""Listings: pages are bounded and can be stopped, and together they give every item once, in order."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import pytest
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import CallerCancelled
from frostgate_server.services.customer_queries import CustomerListing, CustomerQueries, EventListing
from frostgate_server.storage.interface import Store
from frostgate_server.storage.queries import CustomerFilter, EventFilter
from frostgate_server.storage.sqlite import connections, listing
from frostgate_server.storage.sqlite.opening import open_store
from hypothesis import given
from hypothesis import strategies as st
from support.listings import START, all_events, customer_pages, event_pages, insert, make_customer, make_event

NORMAL, ACCOUNT_FROZEN, RESOURCES_FROZEN = FreezeState
PARTNERS = [f"p{number}" for number in range(4)]


def minutes(number: int) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=number)


@dataclass(frozen=True)
class Listed:
    """A store, and what is in it."""

    store: Store
    events: list[FreezeEvent]
    customers: list[Customer]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listed]:
    """A store with 80 events, their times in some disorder, and 60 customers: less than a second."""
    chance = random.Random(1)
    events = [
        make_event(revision, f"c{chance.randrange(5)}", chance.choice(PARTNERS), revision + chance.randrange(-5, 5))
        for revision in range(1, 81)
    ]
    expiries = [None, START, START + minutes(9)]
    customers = [
        make_customer(number, chance.choice(PARTNERS[:2]), chance.choice(list(FreezeState)), chance.choice(expiries))
        for number in range(60)
    ]
    path = tmp_path_factory.mktemp("listed") / "frostgate.db"
    with closing(open_store(path, create=True)) as store:
        insert(path, events, customers)
        yield Listed(store, events, customers)


times = st.none() | st.integers(-3, 90).map(lambda number: START + minutes(number))
event_filters = st.builds(
    EventFilter,
    customer_id=st.none() | st.sampled_from(["c0", "c4", "nobody"]),
    partner_ids=st.none() | st.lists(st.sampled_from([*PARTNERS, "nobody"]), min_size=1, unique=True).map(tuple),
    after_revision=st.none() | st.integers(0, 90),
    start_time=times,
    end_time=times,
)
customer_filters = st.builds(
    CustomerFilter,
    partner_id=st.sampled_from([*PARTNERS[:2], "nobody"]),
    now=st.sampled_from([START, START - minutes(1), START + minutes(20)]),
    freeze_state=st.none() | st.sampled_from(FreezeState),
    retention_expired=st.none() | st.booleans(),
)


def is_wanted_event(wanted: EventFilter, event: FreezeEvent) -> bool:
    """Whether the event passes the filters."""
    return (
        wanted.customer_id in {None, event.customer_id}
        and (wanted.partner_ids is None or event.partner_id in wanted.partner_ids)
        and (wanted.after_revision is None or event.revision > wanted.after_revision)
        and (wanted.start_time is None or event.event_time >= wanted.start_time)
        and (wanted.end_time is None or event.event_time < wanted.end_time)
    )


def is_wanted_customer(wanted: CustomerFilter, customer: Customer) -> bool:
    """Whether the customer passes the filters."""
    expires = customer.retention_expire_time
    return (
        customer.partner_id == wanted.partner_id
        and wanted.freeze_state in {None, customer.freeze_state}
        and wanted.retention_expired in {None, expires is not None and expires <= wanted.now}
    )


@given(wanted=event_filters, page_size=st.integers(1, 90), most_read=st.integers(1, 90))
def test_pages_of_events_give_each_wanted_event_once(
    listed: Listed, wanted: EventFilter, page_size: int, most_read: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "MOST_ROWS_READ", most_read)
        pages = event_pages(listed.store, wanted, page_size)
    found = [event for page in pages for event in page.items]
    assert found == [event for event in reversed(listed.events) if is_wanted_event(wanted, event)]
    assert max(len(page.items) for page in pages) <= page_size


@given(wanted=customer_filters, page_size=st.integers(1, 60), most_read=st.integers(1, 60))
def test_pages_of_customers_give_each_wanted_customer_once(
    listed: Listed, wanted: CustomerFilter, page_size: int, most_read: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "MOST_ROWS_READ", most_read)
        pages = customer_pages(listed.store, wanted, page_size)
    found = [customer for page in pages for customer in page.items]
    assert found == [customer for customer in listed.customers if is_wanted_customer(wanted, customer)]
    assert max(len(page.items) for page in pages) <= page_size


def test_a_page_without_items_says_where_the_listing_goes_on(listed: Listed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_ROWS_READ", 10)
    early = EventFilter(end_time=START + minutes(20))
    pages = event_pages(listed.store, early)
    assert [page.last_key for page in pages] == [71, 61, 51, 41, 31, 21, 11, 1, None]
    assert [bool(page.items) for page in pages[:4]] == [False] * 4
    assert all_events(listed.store, early) == [event for page in pages for event in page.items] != []


LONG, LONGER = 6_000, 24_000
"""How many events and customers a short and a long store have, where a page reads 1,000 rows."""

_HUNDRED = tuple(f"p{number}" for number in range(100))
_MIDDLE = START + minutes(LONG // 2)
PAGES: dict[str, Callable[[Store, Callable[[], bool]], object]] = {
    "a customer's events of another partner": lambda store, wanted: store.list_events(
        EventFilter(customer_id="busy", partner_ids=("nobody",)), None, 50, wanted
    ),
    "a customer's events of long ago": lambda store, wanted: store.list_events(
        EventFilter(customer_id="busy", end_time=START), None, 50, wanted
    ),
    "events of the first half": lambda store, wanted: store.list_events(
        EventFilter(start_time=START, end_time=_MIDDLE), None, 50, wanted
    ),
    "events of any time": lambda store, wanted: store.list_events(
        EventFilter(start_time=START, end_time=START + timedelta(1000)), None, 50, wanted
    ),
    "events of fifty partners in the first half": lambda store, wanted: store.list_events(
        EventFilter(partner_ids=_HUNDRED[:50], end_time=_MIDDLE), None, 50, wanted
    ),
    "events of a hundred partners": lambda store, wanted: store.list_events(
        EventFilter(partner_ids=_HUNDRED), None, 1000, wanted
    ),
    "events of a moment": lambda store, wanted: store.list_events(
        EventFilter(start_time=START, end_time=START + minutes(5), partner_ids=("nobody",)), None, 50, wanted
    ),
    "customers in a state": lambda store, wanted: store.list_customers(
        CustomerFilter("p", START, freeze_state=NORMAL), "", 50, wanted
    ),
    "customers whose retention has expired": lambda store, wanted: store.list_customers(
        CustomerFilter("p", START, retention_expired=True), "", 50, wanted
    ),
}
"""Pages whose filters match nothing, or only what is far away."""


@pytest.fixture(scope="module")
def long_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """Two stores, one with four times as much in it as the other: two seconds."""
    paths = [tmp_path_factory.mktemp("long") / "frostgate.db" for _ in range(2)]
    with closing(open_store(paths[0], create=True)) as long, closing(open_store(paths[1], create=True)) as longer:
        for path, size in zip(paths, (LONG, LONGER), strict=True):
            events = (make_event(number, "busy", f"p{number % 100}", number) for number in range(1, size + 1))
            insert(path, events, (make_customer(number, "p", ACCOUNT_FROZEN) for number in range(size)))
        yield [long, longer]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads look often whether they are wanted, and a page reads 1,000 rows."""
    monkeypatch.setattr(connections, "STEPS_BETWEEN_LOOKS", 100)
    monkeypatch.setattr(listing, "MOST_ROWS_READ", 1000)


class Looks:
    """Counts how often a read looks whether it is wanted, which it is `until` so many looks."""

    def __init__(self, until: int = 10**9) -> None:
        self.count = 0
        self._until = until

    def __call__(self) -> bool:
        self.count += 1
        return self.count < self._until


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_work_of_a_page_does_not_grow_with_the_history(
    long_stores: list[Store], page: Callable[[Store, Callable[[], bool]], object]
) -> None:
    few, many = Looks(), Looks()
    page(long_stores[0], few)
    page(long_stores[1], many)
    assert many.count <= 1.1 * few.count + 1


@pytest.mark.usefixtures("often")
def test_a_read_that_is_no_longer_wanted_stops_and_harms_no_later_one(long_stores: list[Store]) -> None:
    busy = EventFilter(customer_id="busy", end_time=START)
    stopped, wanted = Looks(until=3), Looks()
    with pytest.raises(CallerCancelled):
        long_stores[0].list_events(busy, None, 50, stopped)
    assert stopped.count == 3
    assert long_stores[0].list_events(busy, None, 50, wanted).last_key == LONG - 999
    looked = wanted.count
    assert len(all_events(long_stores[0])) == LONG
    assert (stopped.count, wanted.count) == (3, looked)


def test_a_listing_of_a_caller_who_is_gone_reads_nothing(listed: Listed) -> None:
    gone = Caller(waits=lambda: False)
    queries = CustomerQueries(listed.store)
    with pytest.raises(CallerCancelled):
        queries.list_events(gone, EventListing(EventFilter(), 50))
    with pytest.raises(CallerCancelled):
        queries.list_customers(gone, CustomerListing("p0", None, None, 50))
