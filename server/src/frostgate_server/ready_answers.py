"""Answers to checks, made ready when the server starts: a cell's bytes and a revision.

Every check of a cell is answered the same but for the revision, so that the message is serialized once for each cell,
and a call only appends the revision: its field has the highest number in CheckOperationResponse.
"""

from frostgate.v1.policy_decision_service_pb2 import CheckOperationResponse

from .messages import wire
from .policy import UNKNOWN_CUSTOMER_MESSAGES, Policy, applicable
from .vocabulary import BillingMode, DecisionReason, FreezeState, Operation

CellKey = tuple[FreezeState | None, int, int]
"""Freeze state (None: unknown customer), number of the billing mode, number of the operation."""

_REVISION_TAG = bytes([CheckOperationResponse.REVISION_FIELD_NUMBER << 3])


def ready_answers(policy: Policy) -> dict[CellKey, bytes]:
    """The serialized CheckOperationResponse of every cell, and of unknown customers, all without their revision."""
    answers: dict[CellKey, bytes] = {}
    for rule in policy.rules:
        response = CheckOperationResponse(
            decision=wire(rule.decision),
            reason=wire(rule.reason),
            message=rule.message,
            freeze_state=wire(rule.cell.freeze_state),
            basis=wire(rule.basis),
            policy_version=policy.version,
        )
        answers[rule.cell.freeze_state, rule.cell.billing_mode, rule.cell.operation] = response.SerializeToString()
    unknown = CheckOperationResponse(
        decision=wire(policy.unknown_customer),
        reason=wire(DecisionReason.CUSTOMER_UNKNOWN),
        message=UNKNOWN_CUSTOMER_MESSAGES[policy.unknown_customer],
        policy_version=policy.version,
    ).SerializeToString()
    for mode in BillingMode:
        answers.update({(None, mode, operation): unknown for operation in Operation if applicable(operation, mode)})
    return answers


def revision_bytes(revision: int) -> bytes:
    """The revision as the last field of a CheckOperationResponse. Nothing at 0, which is the field's default."""
    return _REVISION_TAG + varint(revision) if revision else b""


def varint(number: int) -> bytes:
    """A number of at least 0 as protobuf writes it: seven bits a byte, the lowest first."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
