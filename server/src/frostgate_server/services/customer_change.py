"""A change of customers that somebody asks for: what it makes of each, and what a code for it must be good for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.customer import Customer, FreezeEvent, Moment
from frostgate_server.domain.enums import FreezeEventAction, FreezeScope, FreezeState, VerificationAction
from frostgate_server.domain.errors import (
    AlreadyFrozen,
    CustomerNotFound,
    FieldViolation,
    FrostgateError,
    InvalidFields,
    NotFrozen,
    PartnerMismatch,
    ScopeMismatch,
)
from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import Purpose
from frostgate_server.storage.interface import Transaction

_VERIFIED = {
    FreezeEventAction.FROZEN: VerificationAction.FREEZE,
    FreezeEventAction.UNFROZEN: VerificationAction.UNFREEZE,
    FreezeEventAction.DISASSOCIATED: VerificationAction.DISASSOCIATE,
}
"""Actions that need a code, where the partner wants one."""


class KnowsPartners(Protocol):
    """Where partners are found: a transaction, or a store."""

    def get_partner(self, partner_id: str) -> Partner | None:
        """The partner, or None if there is none."""


@dataclass(frozen=True, slots=True)
class CustomerTransition:
    """What a change makes of one customer: None before or after where it is unknown."""

    customer_id: str
    partner_id: str
    before: Customer | None
    after: Customer | None
    at: Moment


@dataclass(frozen=True, slots=True)
class CustomerChange:
    """A change that somebody asks for, and the transition that makes it: (customer_id, before, at) → after.

    An empty `request_id` or `code` stands for none.
    """

    caller: Caller
    action: FreezeEventAction
    scope: FreezeScope | None
    reason: str
    request_id: str
    code: str
    transition: Callable[[str, Customer | None, Moment], Customer | None]

    def step(self, customer_id: str, before: Customer | None, at: Moment) -> CustomerTransition:
        """What the change makes of a customer. Raises PartnerMismatch, and what the transition raises."""
        if self.action is not FreezeEventAction.ASSOCIATED:
            self.caller.ensure_sees_customer(customer_id, before)
        after = self.transition(customer_id, before, at)
        either = after or before
        assert either is not None, "a transition begins or ends with a customer"
        return CustomerTransition(customer_id, either.partner_id, before, after, at)

    def purpose(
        self, partners: KnowsPartners, steps: list[CustomerTransition], customer_ids: Iterable[str]
    ) -> Purpose | None:
        """What a code must be good for, so that these steps may be taken; None: they need none.

        All are customers of one partner, of those that were asked for.
        """
        action = _VERIFIED.get(self.action)
        if action is None or not any(self._requires_code(step) for step in steps):
            return None
        partner = partners.get_partner(steps[0].partner_id)
        if partner is None or not partner.verification_code_enabled:
            return None
        return Purpose.of(partner.partner_id, action, customer_ids, self.scope)

    def record(self, transaction: Transaction, step: CustomerTransition) -> None:
        """Takes a step."""
        event = FreezeEvent(
            revision=step.at.revision,
            customer_id=step.customer_id,
            partner_id=step.partner_id,
            action=self.action,
            scope=self.scope,
            state_before=None if step.before is None else step.before.freeze_state,
            state_after=None if step.after is None else step.after.freeze_state,
            reason=self.reason,
            actor=self.caller.principal,
            request_id=self.request_id,
            event_time=step.at.time,
            retention_expire_time=None if step.after is None else step.after.retention_expire_time,
        )
        transaction.append_event(event, step.after)

    def _requires_code(self, step: CustomerTransition) -> bool:
        """Nothing is lost with a customer of which nothing is frozen."""
        normal = step.before is not None and step.before.freeze_state is FreezeState.NORMAL
        return not (self.action is FreezeEventAction.DISASSOCIATED and normal)


def plan_transitions(
    change: CustomerChange, customers: dict[str, Customer | None], revision: int, time: datetime
) -> list[CustomerTransition | FrostgateError]:
    """The step of each customer, in the order asked, from a revision on; or why there is none."""
    outcomes: list[CustomerTransition | FrostgateError] = []
    for customer_id, before in customers.items():
        try:
            outcomes.append(change.step(customer_id, before, Moment(revision + 1, time)))
            revision += 1
        except (CustomerNotFound, PartnerMismatch, AlreadyFrozen, NotFrozen, ScopeMismatch) as refusal:
            outcomes.append(refusal)
    return outcomes


def partners_seen(caller: Caller, customers: Iterable[Customer | None]) -> list[str]:
    """The partners of these customers, as far as the caller may know of them."""
    found = {customer.partner_id for customer in customers if customer is not None}
    return sorted(filter(caller.may_see, found))


def ensure_one_partner_with_codes(partners: KnowsPartners, partner_ids: list[str]) -> None:
    """One code speaks for one partner. Raises InvalidFields for a batch over several of whom one has codes enabled."""
    if len(partner_ids) < 2:
        return
    for partner_id in partner_ids:
        partner = partners.get_partner(partner_id)
        if partner and partner.verification_code_enabled:
            problem = f"must be customers of one partner, since {partner_id} has enabled verification codes"
            raise InvalidFields([FieldViolation("customer_ids", problem)])
