"""The life of a customer, against the table of transitions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from frostgate_server.domain import customer as transitions
from frostgate_server.domain.customer import Customer, Moment
from frostgate_server.domain.customer_errors import (
    AlreadyFrozen,
    CustomerAlreadyAssociated,
    CustomerNotFound,
    NotFrozen,
    ScopeMismatch,
)
from frostgate_server.domain.enums import FreezeScope, FreezeState
from frostgate_server.domain.errors import (
    FrostgateError,
)

BEGIN = Moment(1, datetime(2026, 1, 1, tzinfo=UTC))
LATER = Moment(2, datetime(2026, 2, 1, tzinfo=UTC))
RETENTION = timedelta(days=15)

NORMAL, ACCOUNT_FROZEN, RESOURCES_FROZEN = FreezeState
ACCOUNT, RESOURCES = FreezeScope

NEW = transitions.associate("c", None, "p", BEGIN)
STATES: dict[str, Customer | None] = {
    "unknown": None,
    "normal": transitions.unfreeze("c", NEW, ACCOUNT, BEGIN),
    "account frozen": NEW,
    "resources frozen": transitions.freeze("c", NEW, RESOURCES, "unpaid", RETENTION, BEGIN),
}


def done(action: str, before: Customer | None) -> Customer | None:
    match action.split():
        case ["associate"]:
            return transitions.associate("c", before, "p", LATER)
        case ["disassociate"]:
            return transitions.disassociate("c", before)  # type: ignore[func-returns-value] # the customer is unknown now
        case ["freeze", scope]:
            return transitions.freeze("c", before, FreezeScope[scope], "unpaid", RETENTION, LATER)
        case ["unfreeze", scope]:
            return transitions.unfreeze("c", before, FreezeScope[scope], LATER)
    raise AssertionError(action)


@pytest.mark.parametrize(
    ("before", "action", "expected"),
    [
        ("unknown", "associate", ACCOUNT_FROZEN),
        ("unknown", "freeze ACCOUNT", CustomerNotFound),
        ("unknown", "freeze ACCOUNT_AND_RESOURCES", CustomerNotFound),
        ("unknown", "unfreeze ACCOUNT", CustomerNotFound),
        ("unknown", "unfreeze ACCOUNT_AND_RESOURCES", CustomerNotFound),
        ("unknown", "disassociate", CustomerNotFound),
        ("normal", "associate", CustomerAlreadyAssociated),
        ("normal", "freeze ACCOUNT", ACCOUNT_FROZEN),
        ("normal", "freeze ACCOUNT_AND_RESOURCES", RESOURCES_FROZEN),
        ("normal", "unfreeze ACCOUNT", NotFrozen),
        ("normal", "unfreeze ACCOUNT_AND_RESOURCES", NotFrozen),
        ("normal", "disassociate", None),
        ("account frozen", "associate", CustomerAlreadyAssociated),
        ("account frozen", "freeze ACCOUNT", AlreadyFrozen),
        ("account frozen", "freeze ACCOUNT_AND_RESOURCES", RESOURCES_FROZEN),
        ("account frozen", "unfreeze ACCOUNT", NORMAL),
        ("account frozen", "unfreeze ACCOUNT_AND_RESOURCES", ScopeMismatch),
        ("account frozen", "disassociate", None),
        ("resources frozen", "associate", CustomerAlreadyAssociated),
        ("resources frozen", "freeze ACCOUNT", AlreadyFrozen),
        ("resources frozen", "freeze ACCOUNT_AND_RESOURCES", AlreadyFrozen),
        ("resources frozen", "unfreeze ACCOUNT", ScopeMismatch),
        ("resources frozen", "unfreeze ACCOUNT_AND_RESOURCES", NORMAL),
        ("resources frozen", "disassociate", None),
    ],
)
def test_each_transition_is_that_of_the_table(
    before: str, action: str, expected: FreezeState | type[FrostgateError] | None
) -> None:
    if isinstance(expected, type):
        with pytest.raises(expected):
            done(action, STATES[before])
        return
    after = done(action, STATES[before])
    assert expected == (None if after is None else after.freeze_state)
    assert after is None or (after.revision, after.update_time) == (LATER.revision, LATER.time)


def test_a_new_customer_is_frozen_by_default_from_its_association_on() -> None:
    assert Customer(
        customer_id="c",
        partner_id="p",
        freeze_state=ACCOUNT_FROZEN,
        freeze_reason="Frozen by default on association",
        freeze_time=BEGIN.time,
        retention_expire_time=None,
        associate_time=BEGIN.time,
        update_time=BEGIN.time,
        revision=1,
    ) == transitions.associate("c", None, "p", BEGIN)


def test_freezing_the_resources_too_sets_reason_and_time_anew_and_starts_the_retention_period() -> None:
    after = transitions.freeze("c", NEW, RESOURCES, "unpaid", RETENTION, LATER)
    assert after == replace(
        NEW,
        freeze_state=RESOURCES_FROZEN,
        freeze_reason="unpaid",
        freeze_time=LATER.time,
        retention_expire_time=LATER.time + RETENTION,
        update_time=LATER.time,
        revision=LATER.revision,
    )


def test_fees_accrue_unless_resources_are_frozen() -> None:
    accrue = {name: customer.fees_accrue for name, customer in STATES.items() if customer is not None}
    assert accrue == {"normal": True, "account frozen": True, "resources frozen": False}


def test_unfreezing_leaves_nothing_of_the_freeze() -> None:
    after = transitions.unfreeze("c", STATES["resources frozen"], RESOURCES, LATER)
    assert (after.freeze_reason, after.freeze_time, after.retention_expire_time) == (None, None, None)


def test_unfreezing_after_the_retention_period_is_allowed() -> None:
    much_later = Moment(3, LATER.time + timedelta(days=1000))
    after = transitions.unfreeze("c", STATES["resources frozen"], RESOURCES, much_later)
    assert after.freeze_state is NORMAL
