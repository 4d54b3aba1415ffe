"""The policy as text for people and as JSON for programs."""

import json

from frostgate_server.domain.enums import BillingMode, FreezeState, Operation

from .rules import Policy, applicable


def as_text(policy: Policy) -> str:
    """A table for each freeze state, in Markdown: the decision on each operation, and its basis."""
    tables = [_table(policy, state) for state in FreezeState]
    unknown = f"A customer that is associated with no partner: {policy.unknown_customer.name}"
    return "\n\n".join([*tables, f"{unknown}\n\nPolicy version: {policy.version}"]) + "\n"


def as_json(policy: Policy) -> str:
    """The policy as one JSON object, in the words of ListRules."""
    rules = [
        {
            "freeze_state": rule.cell.freeze_state.name,
            "billing_mode": rule.cell.billing_mode.name,
            "operation": rule.cell.operation.name,
            "decision": rule.decision.name,
            "reason": rule.reason.name,
            "basis": rule.basis.name,
            "message": rule.message,
            "source_text": rule.source_text,
        }
        for rule in policy.rules
    ]
    content = {
        "rules": rules,
        "unknown_customer_decision": policy.unknown_customer.name,
        "policy_version": policy.version,
    }
    return json.dumps(content, indent=2) + "\n"


def _table(policy: Policy, state: FreezeState) -> str:
    rows = [[state.name, *BillingMode.__members__]]
    rows += [
        [operation.name, *(_shown(policy, state, mode, operation) for mode in BillingMode)] for operation in Operation
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows)


def _shown(policy: Policy, state: FreezeState, mode: BillingMode, operation: Operation) -> str:
    if not applicable(operation, mode):
        return "–"
    rule = policy.rule(state, mode, operation)
    return f"{rule.decision.name.lower()} ({rule.basis.name.lower()})"
