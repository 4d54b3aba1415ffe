"""The life cycle of a customer: unknown, associated, frozen, unfrozen. Pure functions from state to state.

| from                         | associate      | freeze ACCOUNT | freeze A. AND RESOURCES | unfreeze ACCOUNT | unfreeze A. AND R. |
|------------------------------|----------------|----------------|-------------------------|------------------|--------------------|
| unknown                      | ACCOUNT_FROZEN | NOT_FOUND      | NOT_FOUND               | NOT_FOUND        | NOT_FOUND          |
| NORMAL                       | ALREADY_EXISTS | ACCOUNT_FROZEN | RESOURCES_FROZEN        | NOT_FROZEN       | NOT_FROZEN         |
| ACCOUNT_FROZEN               | ALREADY_EXISTS | ALREADY_FROZEN | RESOURCES_FROZEN        | NORMAL           | SCOPE_MISMATCH     |
| ACCOUNT_AND_RESOURCES_FROZEN | ALREADY_EXISTS | ALREADY_FROZEN | ALREADY_FROZEN          | SCOPE_MISMATCH   | NORMAL             |

Disassociating takes a customer from any state to unknown.
"""  # noqa: E501 - the columns of a table stay aligned

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .customer_errors import (
    AlreadyFrozen,
    CustomerAlreadyAssociated,
    CustomerNotFound,
    NotFrozen,
    ScopeMismatch,
)
from .enums import FreezeEventAction, FreezeScope, FreezeState
from .errors import (
    FrostgateError,
)

ASSOCIATION_REASON = "Frozen by default on association"

_STATE_FROZEN_BY = {
    FreezeScope.ACCOUNT: FreezeState.ACCOUNT_FROZEN,
    FreezeScope.ACCOUNT_AND_RESOURCES: FreezeState.ACCOUNT_AND_RESOURCES_FROZEN,
}
_SCOPE_FROZEN_IN = {state: scope for scope, state in _STATE_FROZEN_BY.items()}


@dataclass(frozen=True, slots=True)
class Moment:
    """The revision and the time (UTC) of a change."""

    revision: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer associated with a partner. Times are UTC. A field without a value in this state is None."""

    customer_id: str
    partner_id: str
    freeze_state: FreezeState
    freeze_reason: str | None
    freeze_time: datetime | None
    retention_expire_time: datetime | None
    associate_time: datetime
    update_time: datetime
    revision: int

    @property
    def fees_accrue(self) -> bool:
        """Fees accrue unless resources are frozen ("the frozen resources will not incur fees")."""
        return self.freeze_state is not FreezeState.ACCOUNT_AND_RESOURCES_FROZEN


@dataclass(frozen=True, slots=True)
class FreezeEvent:
    """One change of one customer. `state_before` or `state_after` is None if the customer is unknown then.

    Events hold all fields of a customer, so `replay_event` makes a customer from its events alone.
    """

    revision: int
    customer_id: str
    partner_id: str
    action: FreezeEventAction
    scope: FreezeScope | None
    state_before: FreezeState | None
    state_after: FreezeState | None
    reason: str
    actor: str
    request_id: str
    event_time: datetime
    retention_expire_time: datetime | None = None


EVENT_FIELDS = (
    *("revision", "customer_id", "partner_id", "action", "scope", "state_before", "state_after"),
    *("reason", "actor", "request_id", "event_time", "retention_expire_time"),
)
"""The fields of an event, in the order of its hash and of its stored row. The order never changes."""


def associate(customer_id: str, before: Customer | None, partner_id: str, at: Moment) -> Customer:
    """Makes a new customer, whose account is frozen by default. Raises CustomerAlreadyAssociated."""
    if before is not None:
        raise CustomerAlreadyAssociated(customer_id=customer_id)
    return Customer(
        customer_id=customer_id,
        partner_id=partner_id,
        freeze_state=FreezeState.ACCOUNT_FROZEN,
        freeze_reason=ASSOCIATION_REASON,
        freeze_time=at.time,
        retention_expire_time=None,
        associate_time=at.time,
        update_time=at.time,
        revision=at.revision,
    )


def disassociate(customer_id: str, before: Customer | None) -> None:
    """Makes a customer unknown, from any state. Raises CustomerNotFound."""
    _known(customer_id, before)


def freeze(
    customer_id: str,
    before: Customer | None,
    scope: FreezeScope,
    reason: str,
    retention_period: timedelta,
    at: Moment,
) -> Customer:
    """Freezes a customer, or freezes it further. If resources are frozen, the retention period starts.

    Raises CustomerNotFound, AlreadyFrozen.
    """
    customer = _known(customer_id, before)
    frozen_scope = _SCOPE_FROZEN_IN.get(customer.freeze_state)
    if frozen_scope is not None and scope <= frozen_scope:
        raise AlreadyFrozen(customer_id=customer_id, freeze_state=customer.freeze_state.name)
    resources_too = scope is FreezeScope.ACCOUNT_AND_RESOURCES
    return replace(
        customer,
        freeze_state=_STATE_FROZEN_BY[scope],
        freeze_reason=reason,
        freeze_time=at.time,
        retention_expire_time=at.time + retention_period if resources_too else None,
        update_time=at.time,
        revision=at.revision,
    )


def unfreeze(customer_id: str, before: Customer | None, scope: FreezeScope, at: Moment) -> Customer:
    """Unfreezes a customer with the scope it is frozen with. Raises CustomerNotFound, NotFrozen, ScopeMismatch."""
    customer = _known(customer_id, before)
    frozen_scope = _SCOPE_FROZEN_IN.get(customer.freeze_state)
    if frozen_scope is None:
        raise NotFrozen(customer_id=customer_id)
    if scope is not frozen_scope:
        raise ScopeMismatch(customer_id=customer_id, scope=scope.name, frozen_scope=frozen_scope.name)
    return replace(
        customer,
        freeze_state=FreezeState.NORMAL,
        freeze_reason=None,
        freeze_time=None,
        retention_expire_time=None,
        update_time=at.time,
        revision=at.revision,
    )


def replay_event(before: Customer | None, event: FreezeEvent) -> Customer | None:
    """The customer after an event. Raises ValueError if the event cannot follow the state before."""
    try:
        after = _transition(before, event)
    except FrostgateError as error:
        raise ValueError(str(error)) from error
    if after is not None and after.partner_id != event.partner_id:
        raise ValueError(f"the customer belongs to partner {after.partner_id}, not {event.partner_id}")
    states = (before and before.freeze_state, after and after.freeze_state)
    if states != (event.state_before, event.state_after):
        raise ValueError("its states are not those before and after the change")
    if after is not None and after.retention_expire_time != event.retention_expire_time:
        raise ValueError("its retention does not match its state")
    return after


def _transition(before: Customer | None, event: FreezeEvent) -> Customer | None:
    at = Moment(event.revision, event.event_time)
    scope = event.scope or FreezeScope.ACCOUNT
    match event.action:
        case FreezeEventAction.ASSOCIATED:
            return replace(associate(event.customer_id, before, event.partner_id, at), freeze_reason=event.reason)
        case FreezeEventAction.DISASSOCIATED:
            disassociate(event.customer_id, before)
            return None
        case FreezeEventAction.UNFROZEN:
            return unfreeze(event.customer_id, before, scope, at)
        case FreezeEventAction.FROZEN:
            retention_period = (event.retention_expire_time or at.time) - at.time
            return freeze(event.customer_id, before, scope, event.reason, retention_period, at)


def _known(customer_id: str, customer: Customer | None) -> Customer:
    if customer is None:
        raise CustomerNotFound(customer_id=customer_id)
    return customer
