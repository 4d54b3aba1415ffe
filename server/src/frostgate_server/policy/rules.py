"""The policy: the decision for each freeze state, billing mode of the resource, and operation. Pure.

The file policy.toml has the cells with quotations from the source. This module defines which cells exist.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from frostgate_server.domain.enums import BillingMode, Decision, DecisionReason, FreezeState, Operation, RuleBasis
from frostgate_server.domain.errors import OperationNotApplicable

PREPAID_ONLY = frozenset({Operation.RENEW, Operation.UNSUBSCRIBE, Operation.CHANGE_TO_PAY_PER_USE})
"""These operations need a subscription, and only yearly/monthly resources have one."""

ON_DEMAND_ONLY = frozenset({Operation.CHANGE_TO_YEARLY_MONTHLY})
"""Only a resource without a subscription can be changed to a subscription."""

UNKNOWN_CUSTOMER_MESSAGES = {
    Decision.ALLOW: "The customer is not associated with any partner; this deployment allows that.",
    Decision.DENY: "The customer is not associated with any partner.",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """Identifies one cell of the decision table."""

    freeze_state: FreezeState
    billing_mode: BillingMode
    operation: Operation

    def __str__(self) -> str:
        return f"{self.freeze_state.name} / {self.billing_mode.name} / {self.operation.name}"


@dataclass(frozen=True, slots=True)
class Rule:
    """The content of a cell: the decision, its basis, a message for people, and a quotation from the source."""

    cell: Cell
    decision: Decision
    basis: RuleBasis
    message: str
    source_text: str

    @property
    def reason(self) -> DecisionReason:
        """The reason, for programs. It follows from the state and the decision."""
        if self.cell.freeze_state is FreezeState.NORMAL:
            return DecisionReason.CUSTOMER_NORMAL
        if self.decision is Decision.ALLOW:
            return DecisionReason.OPERATION_SUPPORTED
        if self.cell.freeze_state is FreezeState.ACCOUNT_FROZEN:
            return DecisionReason.ACCOUNT_FROZEN
        return DecisionReason.RESOURCES_FROZEN


def applicable(operation: Operation, billing_mode: BillingMode) -> bool:
    """Whether the operation exists for the billing mode, in any freeze state."""
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

    `version` identifies the policy: 16 hexadecimal digits of a hash over the rules and the setting. Equal policies have
    equal versions, even if they come from different files.
    """

    def __init__(self, rules: Iterable[Rule], unknown_customer: Decision) -> None:
        """Takes exactly one rule for each cell that exists. The loader ensures this."""
        by_cell = {rule.cell: rule for rule in rules}
        self.rules = tuple(by_cell[cell] for cell in existing_cells())
        self.unknown_customer = unknown_customer
        self.version = _version(self.rules, unknown_customer)
        self._by_cell = by_cell

    def rule(self, freeze_state: FreezeState, billing_mode: BillingMode, operation: Operation) -> Rule:
        """The rule for a customer in that state. Raises OperationNotApplicable if there is no such cell."""
        ensure_applicable(operation, billing_mode)
        return self._by_cell[Cell(freeze_state, billing_mode, operation)]


def _version(rules: Iterable[Rule], unknown_customer: Decision) -> str:
    """A hash of every cell in order. The form of this list never changes, so that equal policies keep their version."""
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
