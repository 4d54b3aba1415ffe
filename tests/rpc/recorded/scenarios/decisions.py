"""The decision service: every cell, batches, revisions and malformed checks."""

from typing import Any

from frostgate.v1.policy_decision_service_pb2 import (
    BatchCheckOperationsRequest,
    CheckOperationRequest,
    ListRulesRequest,
)
from frostgate.v1.policy_pb2 import BillingMode, Operation
from rpc.recorded.scenarios.common import NOW, STATES, bring_into
from support.recordings.wire_recording import Recorder

_POLICY = """
[[rules]]
freeze_state = "ACCOUNT_FROZEN"
billing_modes = ["YEARLY_MONTHLY"]
operation = "VIEW"
decision = "ALLOW"
message = "Viewing stays possible – by the operator’s decision."

[[rules]]
freeze_state = "ACCOUNT_AND_RESOURCES_FROZEN"
billing_modes = ["YEARLY_MONTHLY"]
operation = "UNSUBSCRIBE"
decision = "ALLOW"
message = "Unsubscribing stays possible."
"""

_MODES = [value for value in BillingMode.values() if value]
_OPERATIONS = [value for value in Operation.values() if value]
_CUSTOMERS = {state: f"customer-{state}" for state in STATES}
_VIEW = {"operation": Operation.OPERATION_VIEW, "billing_mode": BillingMode.BILLING_MODE_SPOT}


def decisions(wire: Recorder) -> None:
    """Checks of the built-in policy."""
    with wire.run(NOW):
        wire.call(_check())
        wire.call(BatchCheckOperationsRequest(checks=[_check()]))
        wire.call(ListRulesRequest())
        for state, customer_id in _CUSTOMERS.items():
            bring_into(wire, customer_id, state)
        for check in _every_check(STATES):
            wire.call(check)
        wire.call(BatchCheckOperationsRequest(checks=_every_check(STATES)))
        _revisions(wire)
        _malformed_checks(wire)
        _malformed_batches(wire)


def decisions_of_an_operator(wire: Recorder) -> None:
    """Checks where the operator allows unknown customers and changes two silent cells."""
    with wire.run(NOW, "--unknown-customer=allow", "--policy={directory}/policy.toml", files={"policy.toml": _POLICY}):
        wire.call(ListRulesRequest())
        for state, customer_id in _CUSTOMERS.items():
            bring_into(wire, customer_id, state)
        for check in _every_check(["unknown"]):
            wire.call(check)
        wire.call(BatchCheckOperationsRequest(checks=_every_check(STATES)))
        wire.call(ListRulesRequest())


def _check(**fields: Any) -> CheckOperationRequest:
    return CheckOperationRequest(**{"customer_id": _CUSTOMERS["unknown"], **_VIEW, **fields})


def _every_check(states: Any) -> list[CheckOperationRequest]:
    return [
        CheckOperationRequest(customer_id=_CUSTOMERS[state], operation=operation, billing_mode=mode)
        for state in states
        for mode in _MODES
        for operation in _OPERATIONS
    ]


def _revisions(wire: Recorder) -> None:
    """Checks with a minimum revision that is reached, or not. The present one is 5."""
    for revision in (0, 1, 5, 6, 2**63 - 1):
        wire.call(_check(minimum_revision=revision))
        wire.call(BatchCheckOperationsRequest(checks=[_check()], minimum_revision=revision))
        wire.call(BatchCheckOperationsRequest(checks=[_check(), _check(minimum_revision=revision)]))
    wire.call(BatchCheckOperationsRequest(checks=[_check(minimum_revision=7)], minimum_revision=6))


_MALFORMED: list[dict[str, Any]] = [
    {"customer_id": ""},
    {"customer_id": "a" * 65},
    {"customer_id": "a b"},
    {"customer_id": "a\n"},
    {"customer_id": "a\0"},
    {"customer_id": "ä"},
    {"operation": 0},
    {"operation": 12},
    {"operation": -1},
    {"billing_mode": 0},
    {"billing_mode": 4},
    {"billing_mode": -(2**31)},
    {"resource_id": "€" * 86},
    {"minimum_revision": -1},
    {"minimum_revision": -(2**63)},
    {"operation": 12, "billing_mode": 4},
    {"customer_id": "", "operation": 0, "billing_mode": 9, "resource_id": "r" * 257, "minimum_revision": -1},
]
_WELL_FORMED: list[dict[str, Any]] = [
    {"customer_id": "a" * 64},
    {"customer_id": "AZaz09._-"},
    {"resource_id": ""},
    {"resource_id": "r" * 256},
    {"resource_id": "disk 1\n"},
]


def _malformed_checks(wire: Recorder) -> None:
    for fields in [*_WELL_FORMED, *_MALFORMED]:
        wire.call(_check(**fields))


def _malformed_batches(wire: Recorder) -> None:
    """Batches with malformed checks, and malformed batches."""
    checks = [_check(), *[_check(**fields) for fields in _WELL_FORMED]]
    checks += [_check(**fields) for fields in _MALFORMED if fields.get("minimum_revision", 0) >= 0]
    checks += [_check(operation=Operation.OPERATION_RENEW), _check(), _check()]
    wire.call(BatchCheckOperationsRequest(checks=checks))
    wire.call(BatchCheckOperationsRequest(checks=[_check(minimum_revision=-1), _check()]))
    wire.call(BatchCheckOperationsRequest())
    wire.call(BatchCheckOperationsRequest(checks=[CheckOperationRequest()] * 1001))
    wire.call(BatchCheckOperationsRequest(checks=[_check()], minimum_revision=-1))
    wire.call(BatchCheckOperationsRequest(minimum_revision=-1))
    for method in ("CheckOperation", "BatchCheckOperations", "ListRules"):
        for malformed in (b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe", b"\xfa\x7f\x01x"):
            wire.call_raw(method, malformed)
