"""The use cases that read customers and their events, in pages."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.clock import utc_now
from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.customer_errors import (
    CustomerNotFound,
    PartnerNotFound,
)
from frostgate_server.domain.enums import FreezeState
from frostgate_server.storage.interface import Store
from frostgate_server.storage.queries import CustomerFilter, EventFilter

from . import page_token as page_tokens


@dataclass(frozen=True, slots=True)
class CustomerListing:
    """A request for a page of a partner's customers. A filter that is None matches all customers."""

    partner_id: str
    freeze_state: FreezeState | None
    retention_expired: bool | None
    page_size: int
    page_token: str = ""


@dataclass(frozen=True, slots=True)
class EventListing:
    """A request for a page of events."""

    wanted: EventFilter
    page_size: int
    page_token: str = ""


class CustomerQueries:
    """Reads customers and their events.

    A page may have fewer items than requested, or none, although another page follows. A listing raises CallerCancelled
    if the caller no longer waits.

    A caller that is bound to partners gets PartnerMismatch instead of CustomerNotFound and PartnerNotFound, and for
    other partners and their customers.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        """`clock` decides whether a retention period has expired."""
        self._store = store
        self._clock = clock

    def get_customer(self, caller: Caller, customer_id: str) -> Customer:
        """The customer. Raises CustomerNotFound."""
        customer = self._store.get_customer(customer_id)
        caller.ensure_sees_customer(customer_id, customer)
        if customer is None:
            raise CustomerNotFound(customer_id=customer_id)
        return customer

    def list_customers(self, caller: Caller, listing: CustomerListing) -> tuple[list[Customer], str]:
        """A page of a partner's customers in the order of their ids, and the token of the next page.

        Raises PartnerNotFound, PageTokenInvalid.
        """
        caller.ensure_waits()
        caller.ensure_sees(listing.partner_id)
        filters = page_tokens.customer_filters(listing.partner_id, listing.freeze_state, listing.retention_expired)
        last = page_tokens.after(listing.page_token, filters, str)
        if self._store.get_partner(listing.partner_id) is None:
            raise PartnerNotFound(partner_id=listing.partner_id)
        wanted = CustomerFilter(listing.partner_id, self._clock(), listing.freeze_state, listing.retention_expired)
        page = self._store.list_customers(wanted, last or "", listing.page_size, caller.waits)
        return page.items, page_tokens.token(filters, page.last_key)

    def list_events(self, caller: Caller, listing: EventListing) -> tuple[list[FreezeEvent], str]:
        """A page of events, the newest first, and the token of the next page. Raises PageTokenInvalid.

        A caller that is bound to partners sees the events of customers from the time when they were customers of these
        partners.
        """
        caller.ensure_waits()
        wanted = listing.wanted
        for partner_id in wanted.partner_ids or ():
            caller.ensure_sees(partner_id)
        seen = wanted
        if wanted.partner_ids is None and caller.partners is not None:
            seen = replace(wanted, partner_ids=tuple(sorted(caller.partners)))
        filters = page_tokens.event_filters(wanted, seen)
        before = page_tokens.after(listing.page_token, filters, int)
        page = self._store.list_events(seen, before, listing.page_size, caller.waits)
        return page.items, page_tokens.token(filters, page.last_key)
