"""Plans a change: the transition of each customer, and the verification code that the transitions need."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from frostgate_server.domain import customer as transitions
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.customer import Customer, FreezeEvent, Moment
from frostgate_server.domain.customer_errors import (
    CustomerNotFound,
    RevisionMismatch,
)
from frostgate_server.domain.enums import FreezeEventAction, FreezeState
from frostgate_server.domain.errors import (
    FailedPrecondition,
    FieldViolation,
    FrostgateError,
    InvalidFields,
    NotFound,
    PartnerMismatch,
)
from frostgate_server.domain.verification_code import Purpose
from frostgate_server.storage.interface import Transaction

from .commands import AssociateCommand, ChangeCommand, FreezeCommand, UnfreezeCommand
from .stored_responses import BatchChangeResult, ChangeResult


@dataclass(frozen=True, slots=True)
class CustomerTransition:
    """The change of one customer. `before` or `after` is None where the customer is unknown."""

    customer_id: str
    partner_id: str
    before: Customer | None
    after: Customer | None
    at: Moment


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """The outcome of each customer of a command, in the order asked: a transition or, in a batch, a refusal.

    `partner_ids` are the partners of these customers, as far as the caller may know them. `revision` is that of the
    store before the change.
    """

    outcomes: tuple[CustomerTransition | FrostgateError, ...]
    partner_ids: tuple[str, ...]
    revision: int

    @property
    def transitions(self) -> list[CustomerTransition]:
        """The outcomes that are transitions."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, CustomerTransition)]

    def result(self, command: ChangeCommand, revision: int) -> ChangeResult | BatchChangeResult:
        """The result of the command, with the last revision that it made, or the current one."""
        if not command.is_batch:
            (transition,) = self.transitions
            return ChangeResult(transition.after, revision, transition.partner_id)
        results = zip(command.customer_ids, map(_result, self.outcomes), strict=True)
        return BatchChangeResult(tuple(results), revision, self.partner_ids)


def plan_change(
    transaction: Transaction, caller: Caller, command: ChangeCommand, retention_period: timedelta, now: datetime
) -> PlannedChange:
    """Plans each customer's transition, from the present revision on; changes nothing.

    Each is checked for its partner and existence, then for the expected revision, then for the transition. Raises the
    refusal of a single customer. Raises InvalidFields for a batch over several partners of which one needs codes.
    """
    customers = {customer_id: transaction.get_customer(customer_id) for customer_id in command.customer_ids}
    partner_ids = _visible_partners(caller, customers.values())
    if command.is_batch:
        _ensure_one_partner_with_codes(transaction, partner_ids)
    first = revision = transaction.get_revision()
    outcomes: list[CustomerTransition | FrostgateError] = []
    for customer_id, before in customers.items():
        at = Moment(first if command.validate_only else revision + 1, now)
        try:
            outcomes.append(_plan_transition(caller, command, customer_id, before, at, retention_period))
            revision += 1
        except (NotFound, PartnerMismatch, FailedPrecondition) as refusal:
            if not command.is_batch:
                raise
            outcomes.append(refusal)
    return PlannedChange(tuple(outcomes), tuple(partner_ids), first)


def find_purpose(transaction: Transaction, command: ChangeCommand, planned: PlannedChange) -> Purpose | None:
    """The purpose that a verification code must be sent for, so that the change may be made; None: it needs no code."""
    action, transitions = command.verification_action, planned.transitions
    if action is None or not any(_requires_code(command, transition) for transition in transitions):
        return None
    partner = transaction.get_partner(transitions[0].partner_id)
    if partner is None or not partner.verification_code_enabled:
        return None
    return Purpose.of(partner.partner_id, action, command.customer_ids, command.scope)


def append_transition(
    transaction: Transaction, caller: Caller, command: ChangeCommand, transition: CustomerTransition
) -> None:
    """Makes a transition: appends its event and saves the customer."""
    before, after = transition.before, transition.after
    event = FreezeEvent(
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
    transaction.append_event(event, after)


def _plan_transition(
    caller: Caller,
    command: ChangeCommand,
    customer_id: str,
    before: Customer | None,
    at: Moment,
    retention_period: timedelta,
) -> CustomerTransition:
    if isinstance(command, AssociateCommand):
        caller.ensure_sees(command.partner_id)
    else:
        caller.ensure_sees_customer(customer_id, before)
    _ensure_expected_revision(command, customer_id, before)
    after = _apply(command, customer_id, before, at, retention_period)
    either = after or before
    assert either is not None, "a transition begins or ends with a customer"
    return CustomerTransition(customer_id, either.partner_id, before, after, at)


def _apply(
    command: ChangeCommand, customer_id: str, before: Customer | None, at: Moment, retention_period: timedelta
) -> Customer | None:
    """The customer after the command; None: unknown. Raises what the transition of the domain raises."""
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


def _requires_code(command: ChangeCommand, transition: CustomerTransition) -> bool:
    """Whether a code protects this transition: the end of an association loses nothing where nothing is frozen."""
    is_normal = transition.before is not None and transition.before.freeze_state is FreezeState.NORMAL
    return not (command.action is FreezeEventAction.DISASSOCIATED and is_normal)


def _visible_partners(caller: Caller, customers: Iterable[Customer | None]) -> list[str]:
    """The partners of these customers, as far as the caller may know them."""
    found = {customer.partner_id for customer in customers if customer is not None}
    return sorted(filter(caller.may_see, found))


def _ensure_one_partner_with_codes(transaction: Transaction, partner_ids: list[str]) -> None:
    """One code speaks for one partner. Raises InvalidFields for several partners of which one has codes enabled."""
    if len(partner_ids) < 2:
        return
    for partner_id in partner_ids:
        partner = transaction.get_partner(partner_id)
        if partner and partner.verification_code_enabled:
            problem = f"must be customers of one partner, since {partner_id} has enabled verification codes"
            raise InvalidFields([FieldViolation("customer_ids", problem)])


def _result(outcome: CustomerTransition | FrostgateError) -> Customer | FrostgateError:
    if isinstance(outcome, FrostgateError):
        return outcome
    assert outcome.after is not None, "freezing and unfreezing leave a customer"
    return outcome.after
