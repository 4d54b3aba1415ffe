"""Listings of more rows than a page looks at: pages are short or empty, and callers get every item all the same."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from frostgate import FreezeState
from frostgate.v1.customer_freeze_service_pb2 import ListCustomersRequest, ListFreezeEventsRequest
from frostgate.v1.policy_pb2 import FREEZE_STATE_NORMAL
from frostgate_server.domain import enums
from frostgate_server.domain.partner import Partner
from frostgate_server.storage.interface import Transaction
from frostgate_server.storage.sqlite.listing import MOST_ROWS_READ
from frostgate_server.storage.sqlite.opening import open_store
from support.listings import START, make_customer, make_event
from support.processes import PATIENCE
from support.server_process import ServerProcess

EVENTS = MOST_ROWS_READ + 500
"""Of the one busy customer, and then as many customers of partner p."""


def fill(transaction: Transaction) -> None:
    """Makes a busy customer's events, a minute apart, and customers of whom only the last is normal."""
    transaction.save_partner(Partner("p"))
    for number in range(1, EVENTS + 1):
        transaction.append_event(make_event(number, "busy", "p", number), None)
    for number in range(EVENTS):
        state = enums.FreezeState.NORMAL if number == EVENTS - 1 else enums.FreezeState.ACCOUNT_FROZEN
        customer = make_customer(number, "p", state)
        event = make_event(EVENTS + number + 1, customer.customer_id, "p", EVENTS + number)
        transaction.append_event(event, customer)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with 21,000 events and 10,500 customers: two seconds."""
    path = tmp_path_factory.mktemp("long") / "frostgate.db"
    with closing(open_store(path, create=True)) as store:
        store.run_transaction(fill)
    with ServerProcess(path) as process:
        yield process


def test_clients_go_on_over_empty_pages_of_events(server: ServerProcess, client: Any) -> None:
    request = ListFreezeEventsRequest(customer_id="busy")
    request.end_time.FromDatetime(START + timedelta(minutes=4))
    page = server.freezes.ListFreezeEvents(request, timeout=PATIENCE)
    assert not page.events
    assert page.next_page_token
    events = client.list_freeze_events(customer_id="busy", end_time=START + timedelta(minutes=4))
    assert [event.revision for event in events] == [3, 2, 1]


def test_clients_go_on_over_empty_pages_of_customers(server: ServerProcess, client: Any) -> None:
    page = server.freezes.ListCustomers(
        ListCustomersRequest(partner_id="p", freeze_state=FREEZE_STATE_NORMAL), timeout=PATIENCE
    )
    assert not page.customers
    assert page.next_page_token
    customers = client.list_customers(partner_id="p", freeze_state=FreezeState.NORMAL)
    assert [customer.customer_id for customer in customers] == [f"c{EVENTS - 1:06}"]
