"""SQL that compares rows with each other. Each SELECT reads rows of a tree in order, after a given key."""

from frostgate_server.domain.enums import FreezeEventAction
from frostgate_server.storage.sqlite.row_mapping import EVENT_COLUMNS

_ROW_IS_WHAT_EVENT_SAYS = (
    f"e.action <> {FreezeEventAction.DISASSOCIATED:d} AND c.revision = e.revision AND c.freeze_state = e.state_after "
    "AND c.partner_id = e.partner_id AND c.update_time = e.event_time "
    "AND c.retention_expire_time IS e.retention_expire_time "
    f"AND c.freeze_reason IS CASE WHEN e.action <> {FreezeEventAction.UNFROZEN:d} THEN e.reason END "
    f"AND c.freeze_time IS CASE WHEN e.action <> {FreezeEventAction.UNFROZEN:d} THEN e.event_time END "
    f"AND (e.action <> {FreezeEventAction.ASSOCIATED:d} OR c.associate_time = e.event_time)"
)
"""The condition that a customer's row c matches its last event e."""

_EVENT_INDEXES = (
    "EXISTS (SELECT 1 FROM events AS x INDEXED BY events_of_partner "
    "WHERE x.partner_id = e.partner_id AND x.revision = e.revision), "
    "EXISTS (SELECT 1 FROM events AS x INDEXED BY events_by_time "
    "WHERE x.event_time = e.event_time AND x.revision = e.revision)"
)

_CUSTOMER_INDEX = (
    "EXISTS (SELECT 1 FROM customers AS x INDEXED BY customers_of_partner "
    "WHERE x.partner_id = c.partner_id AND x.customer_id = c.customer_id)"
)


def _select_events(indexes: str) -> str:
    return (
        f"SELECT {', '.join(f'e.{name}' for name in EVENT_COLUMNS.split(', '))}, e.hash, "
        "EXISTS (SELECT 1 FROM events AS x INDEXED BY events_of_customer "
        "WHERE x.customer_id = e.customer_id AND x.revision = e.revision), "
        "CASE WHEN e.revision < (SELECT max(x.revision) FROM events AS x WHERE x.customer_id = e.customer_id) THEN 1 "
        f"WHEN e.action = {FreezeEventAction.DISASSOCIATED:d} "
        "THEN NOT EXISTS (SELECT 1 FROM customers AS c WHERE c.customer_id = e.customer_id) "
        "ELSE EXISTS (SELECT 1 FROM customers AS c WHERE c.customer_id = e.customer_id "
        f"AND {_ROW_IS_WHAT_EVENT_SAYS}) END, {indexes} "
        "FROM events AS e NOT INDEXED WHERE e.revision > ? ORDER BY e.revision LIMIT ?"
    )


def _select_customers(index: str) -> str:
    return (
        "SELECT c.customer_id, c.freeze_state, c.revision, c.checksum, "
        "(SELECT max(x.revision) FROM events AS x WHERE x.customer_id = c.customer_id) IS c.revision "
        f"AND EXISTS (SELECT 1 FROM events AS e WHERE e.revision = c.revision AND {_ROW_IS_WHAT_EVENT_SAYS}), {index} "
        "FROM customers AS c NOT INDEXED WHERE c.customer_id > ? ORDER BY c.customer_id LIMIT ?"
    )


EVENTS, EVENTS_WITHOUT_INDEXES = _select_events(_EVENT_INDEXES), _select_events("1, 1")
"""Columns: EVENT_COLUMNS and the hash of an event; whether the index events_of_customer has the event; whether the
customer's row matches the event, if it is the customer's last one; and whether each other index has the event."""

CUSTOMERS, CUSTOMERS_WITHOUT_INDEX = _select_customers(_CUSTOMER_INDEX), _select_customers("1")
"""Columns: the id, state, revision and checksum of a customer; whether the row matches the customer's last event; and
whether the index customers_of_partner has the customer."""
