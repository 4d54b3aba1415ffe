"""The policy: what a freeze state means for an operation on a resource of a billing mode. Pure.

The cells stand in policy.toml, with the source's words; this module knows which cells exist and what they mean.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from frostgate_server.domain.enums import BillingMode, Decision, DecisionReason, FreezeState, Operation, RuleBasis
from frostgate_server.domain.errors import OperationNotApplicable

PREPAID_ONLY = frozenset({Operation.RENEW, Operation.UNSUBSCRIBE, Operation.CHANGE_TO_PAY_PER_USE})
"""One renews, unsubscribes from, or leaves a subscription; only yearly/monthly resources have one."""

ON_DEMAND_ONLY = frozenset({Operation.CHANGE_TO_YEARLY_MONTHLY})
"""Only what is not subscribed to can be changed into a subscription."""

UNKNOWN_CUSTOMER_MESSAGES = {
    Decision.ALLOW: "The customer is not associated with any partner; this deployment allows that.",
    Decision.DENY: "The customer is not associated with any partner.",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """Names one place in the decision table."""

    freeze_state: FreezeState
    billing_mode: BillingMode
    operation: Operation

    def __str__(self) -> str:
        return f"{self.freeze_state.name} / {self.billing_mode.name} / {self.operation.name}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What stands in a cell: the decision, what it rests on, a sentence for people, and the source's words."""

    cell: Cell
    decision: Decision
    basis: RuleBasis
    message: str
    source_text: str

    @property
    def reason(self) -> DecisionReason:
        """Why, for programs: it follows from the state and the decision."""
        if self.cell.freeze_state is FreezeState.NORMAL:
            return DecisionReason.CUSTOMER_NORMAL
        if self.decision is Decision.ALLOW:
            return DecisionReason.OPERATION_SUPPORTED
        if self.cell.freeze_state is FreezeState.ACCOUNT_FROZEN:
            return DecisionReason.ACCOUNT_FROZEN
        return DecisionReason.RESOURCES_FROZEN


def applicable(operation: Operation, billing_mode: BillingMode) -> bool:
    """Whether the operation exists for the billing mode, whatever the freeze state."""
    if billing_mode is BillingMode.YEARLY_MONTHLY:
        return operation not in ON_DEMAND_ONLY
    return operation not in PREPAID_ONLY


def ensure_applicable(operation: Operation, billing_mode: BillingMode) -> None:
    """Raises OperationNotApplicable if the operation does not exist for the billing mode."""
    if not applicable(operation, billing_mode):
        raise OperationNotApplicable(operation=operation.name, billing_mode=billing_mode.name)


def existing_cells() -> list[Cell]:
    """Every cell that exists, ordered by freeze state, billing mode and operation."""
    return [
        Cell(state, mode, operation)
        for state in FreezeState
        for mode in BillingMode
        for operation in Operation
        if applicable(operation, mode)
    ]


class Policy:
    """The rules of a deployment: one for each cell that exists, and the decision on unknown customers.

    `version` names the policy: 16 hexadecimal digits over rules and setting, so that equal policies have equal
    versions whatever file they came from.
    """

    def __init__(self, rules: Iterable[Rule], unknown_customer: Decision) -> None:
        """Takes exactly one rule for each cell that exists, as the loader reads and checks them."""
        by_cell = {rule.cell: rule for rule in rules}
        self.rules = tuple(by_cell[cell] for cell in existing_cells())
        self.unknown_customer = unknown_customer
        self.version = _version(self.rules, unknown_customer)
        self._by_cell = by_cell

    def rule(self, freeze_state: FreezeState, billing_mode: BillingMode, operation: Operation) -> Rule:
        """The rule for a customer in that state. Raises OperationNotApplicable where there is no such cell."""
        ensure_applicable(operation, billing_mode)
        return self._by_cell[Cell(freeze_state, billing_mode, operation)]


def _version(rules: Iterable[Rule], unknown_customer: Decision) -> str:
    """A hash of every cell in order. The form of this list is for ever: equal policies keep their version."""
    cells = [
        [
            [rule.cell.freeze_state, rule.cell.billing_mode, rule.cell.operation],
            rule.decision,
            rule.basis,
            rule.message,
            rule.source_text,
        ]
        for rule in rules
    ]
    return hashlib.sha256(json.dumps([cells, unknown_customer]).encode()).hexdigest()[:16]
