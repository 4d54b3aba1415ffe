"""Plans a change: its events, its result, and the verification code that it needs. Pure: reads and writes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from frostgate_server.domain import customer as transitions
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.customer import Customer, FreezeEvent, Moment
from frostgate_server.domain.customer_errors import CustomerNotFound, RevisionMismatch
from frostgate_server.domain.enums import FreezeEventAction, FreezeState
from frostgate_server.domain.errors import (
    FailedPrecondition,
    FieldViolation,
    FrostgateError,
    InvalidFields,
    NotFound,
    PartnerMismatch,
)
from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import Purpose

from .commands import AssociateCommand, ChangeCommand, FreezeCommand, UnfreezeCommand
from .stored_responses import BatchChangeResult, ChangeResult


@dataclass(frozen=True, slots=True)
class PresentState:
    """The state before a change: the command's customers in the order of the request (None: unknown), those of their
    partners that the caller may see, the last revision, and the time, UTC."""

    customers: Mapping[str, Customer | None]
    partners: Mapping[str, Partner | None]
    revision: int
    time: datetime


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """The events of a change in order, each with the customer afterwards, the result, and the purpose of the
    verification code that the change needs (None: it needs no code)."""

    events: tuple[tuple[FreezeEvent, Customer | None], ...]
    result: ChangeResult | BatchChangeResult
    purpose: Purpose | None


@dataclass(frozen=True, slots=True)
class _Transition:
    """The change of one customer. `before` or `after` is None if the customer is unknown then."""

    customer_id: str
    partner_id: str
    before: Customer | None
    after: Customer | None
    at: Moment


def visible_partners(caller: Caller, customers: Iterable[Customer | None]) -> list[str]:
    """The partners of these customers that the caller may see."""
    found = {customer.partner_id for customer in customers if customer is not None}
    return sorted(filter(caller.may_see, found))


def plan_change(
    caller: Caller, command: ChangeCommand, present: PresentState, retention_period: timedelta
) -> PlannedChange:
    """Plans the transition of each customer, in the order of the request.

    Checks the partner and the existence of each customer, then the expected revision, then the transition. Raises the
    refusal of a single customer. In a batch the refusal is the customer's result. Raises InvalidFields for a batch with
    several partners if one of them has codes enabled.
    """
    if command.is_batch:
        _ensure_one_partner_with_codes(present.partners)
    outcomes: list[_Transition | FrostgateError] = []
    revision = present.revision
    for customer_id, before in present.customers.items():
        at = Moment(present.revision if command.validate_only else revision + 1, present.time)
        try:
            outcomes.append(_plan_transition(caller, command, customer_id, before, at, retention_period))
            revision = at.revision
        except (NotFound, PartnerMismatch, FailedPrecondition) as refusal:
            if not command.is_batch:
                raise
            outcomes.append(refusal)
    planned = [outcome for outcome in outcomes if isinstance(outcome, _Transition)]
    return PlannedChange(
        events=tuple((_event(caller, command, transition), transition.after) for transition in planned),
        result=_result(command, present, outcomes, revision),
        purpose=_find_purpose(command, present, planned),
    )


def _plan_transition(
    caller: Caller,
    command: ChangeCommand,
    customer_id: str,
    before: Customer | None,
    at: Moment,
    retention_period: timedelta,
) -> _Transition:
    if isinstance(command, AssociateCommand):
        caller.ensure_sees(command.partner_id)
    else:
        caller.ensure_sees_customer(customer_id, before)
    _ensure_expected_revision(command, customer_id, before)
    after = _apply(command, customer_id, before, at, retention_period)
    either = after or before
    assert either is not None, "a transition begins or ends with a customer"
    return _Transition(customer_id, either.partner_id, before, after, at)


def _apply(
    command: ChangeCommand, customer_id: str, before: Customer | None, at: Moment, retention_period: timedelta
) -> Customer | None:
    """The customer after the command (None: unknown). Raises the errors of the domain's transition."""
    match command:
        case AssociateCommand():
            return transitions.associate(customer_id, before, command.partner_id, at)
        case FreezeCommand():
            return transitions.freeze(customer_id, before, command.scope, command.reason, retention_period, at)
        case UnfreezeCommand():
            return transitions.unfreeze(customer_id, before, command.scope, at)
        case _:
            transitions.disassociate(customer_id, before)
            return None


def _ensure_expected_revision(command: ChangeCommand, customer_id: str, before: Customer | None) -> None:
    if command.expected_revision is None:
        return
    if before is None:
        raise CustomerNotFound(customer_id=customer_id)
    if before.revision != command.expected_revision:
        raise RevisionMismatch(
            customer_id=customer_id,
            expected_revision=str(command.expected_revision),
            revision=str(before.revision),
        )


def _ensure_one_partner_with_codes(partners: Mapping[str, Partner | None]) -> None:
    """A code is for one partner. Raises InvalidFields if there are several partners and one has codes enabled."""
    if len(partners) < 2:
        return
    for partner_id, partner in partners.items():
        if partner and partner.verification_code_enabled:
            problem = f"must be customers of one partner, since {partner_id} has enabled verification codes"
            raise InvalidFields([FieldViolation("customer_ids", problem)])


def _find_purpose(command: ChangeCommand, present: PresentState, planned: list[_Transition]) -> Purpose | None:
    action = command.verification_action
    if action is None or not any(_requires_code(command, transition) for transition in planned):
        return None
    partner = present.partners[planned[0].partner_id]
    if partner is None or not partner.verification_code_enabled:
        return None
    return Purpose.of(partner.partner_id, action, command.customer_ids, command.scope)


def _requires_code(command: ChangeCommand, transition: _Transition) -> bool:
    """Whether this transition needs a code. The disassociation of a customer that is not frozen needs none."""
    is_normal = transition.before is not None and transition.before.freeze_state is FreezeState.NORMAL
    return not (command.action is FreezeEventAction.DISASSOCIATED and is_normal)


def _event(caller: Caller, command: ChangeCommand, transition: _Transition) -> FreezeEvent:
    before, after = transition.before, transition.after
    return FreezeEvent(
        revision=transition.at.revision,
        customer_id=transition.customer_id,
        partner_id=transition.partner_id,
        action=command.action,
        scope=command.scope,
        state_before=None if before is None else before.freeze_state,
        state_after=None if after is None else after.freeze_state,
        reason=command.reason,
        actor=caller.principal,
        request_id=command.request_id,
        event_time=transition.at.time,
        retention_expire_time=None if after is None else after.retention_expire_time,
    )


def _result(
    command: ChangeCommand, present: PresentState, outcomes: list[_Transition | FrostgateError], revision: int
) -> ChangeResult | BatchChangeResult:
    """The result, at the last revision of the change, or at the present revision if nothing changes."""
    if not command.is_batch:
        (transition,) = outcomes
        assert isinstance(transition, _Transition), "the refusal of a single customer is raised"
        return ChangeResult(transition.after, revision, transition.partner_id)
    results = zip(command.customer_ids, map(_batch_result, outcomes), strict=True)
    return BatchChangeResult(tuple(results), revision, tuple(present.partners))


def _batch_result(outcome: _Transition | FrostgateError) -> Customer | FrostgateError:
    if isinstance(outcome, FrostgateError):
        return outcome
    assert outcome.after is not None, "freezing and unfreezing leave a customer"
    return outcome.after
