"""Answers to checks, made ready when the server starts: a cell's bytes and a revision.

Every check of a cell is answered the same but for the revision, so that the message is serialized once for each cell,
and a call only appends the revision: its field has the highest number in CheckOperationResponse.
"""

from collections.abc import Iterable

from frostgate.v1.policy_decision_service_pb2 import (
    BatchCheckOperationsResponse,
    BatchCheckResult,
    CheckOperationResponse,
)

from frostgate_server.domain.enums import DecisionReason, FreezeState
from frostgate_server.policy.rules import UNKNOWN_CUSTOMER_MESSAGES, Policy

from .converters import wire

Key = tuple[FreezeState | None, int, int]
"""Freeze state (None: unknown customer), number of the billing mode, number of the operation."""

_REVISION_TAG = bytes([CheckOperationResponse.REVISION_FIELD_NUMBER << 3])
_RESPONSE_TAG = bytes([BatchCheckResult.RESPONSE_FIELD_NUMBER << 3 | 2])
_RESULTS_TAG = bytes([BatchCheckOperationsResponse.RESULTS_FIELD_NUMBER << 3 | 2])


class PrecomputedResponses:
    """The answers of a policy, serialized. Billing modes and operations are the numbers of the wire."""

    def __init__(self, policy: Policy) -> None:
        """Makes an answer ready for every cell, and for unknown customers."""
        self._answers = {**_answers_of_rules(policy), **_answers_on_unknown_customers(policy)}

    def has(self, billing_mode: int, operation: int) -> bool:
        """Whether the operation exists for the billing mode, and both are known at all."""
        return (None, billing_mode, operation) in self._answers

    def answer(self, state: FreezeState | None, billing_mode: int, operation: int, revision: int) -> bytes:
        """A CheckOperationResponse. The revision is left out at 0, the default of the field."""
        answer = self._answers[state, billing_mode, operation]
        return answer + _REVISION_TAG + _varint(revision) if revision else answer


class BatchResults(dict[Key, bytes]):
    """The results of one batch, as they stand in its response: each is put together when it is first looked up."""

    def __init__(self, ready: PrecomputedResponses, revision: int) -> None:
        """All results of a batch are of one revision."""
        self._ready = ready
        self._revision = revision

    def __missing__(self, key: Key) -> bytes:
        answer = self._ready.answer(*key, self._revision)
        result = self[key] = encode_result(_RESPONSE_TAG + _varint(len(answer)) + answer)
        return result


def encode_result(result: bytes) -> bytes:
    """A BatchCheckResult, as it stands in a BatchCheckOperationsResponse."""
    return _RESULTS_TAG + _varint(len(result)) + result


def encode_batch(results: Iterable[bytes], revision: int) -> bytes:
    """A BatchCheckOperationsResponse with results as they stand in it."""
    return b"".join(results) + BatchCheckOperationsResponse(revision=revision).SerializeToString()


def _answers_of_rules(policy: Policy) -> dict[Key, bytes]:
    return {
        (rule.cell.freeze_state, rule.cell.billing_mode, rule.cell.operation): CheckOperationResponse(
            decision=wire(rule.decision),
            reason=wire(rule.reason),
            message=rule.message,
            freeze_state=wire(rule.cell.freeze_state),
            basis=wire(rule.basis),
            policy_version=policy.version,
        ).SerializeToString()
        for rule in policy.rules
    }


def _answers_on_unknown_customers(policy: Policy) -> dict[Key, bytes]:
    answer = CheckOperationResponse(
        decision=wire(policy.unknown_customer),
        reason=wire(DecisionReason.CUSTOMER_UNKNOWN),
        message=UNKNOWN_CUSTOMER_MESSAGES[policy.unknown_customer],
        policy_version=policy.version,
    ).SerializeToString()
    return {(None, rule.cell.billing_mode, rule.cell.operation): answer for rule in policy.rules}


def _varint(number: int) -> bytes:
    """A number of at least 0 as protobuf writes it: seven bits a byte, the lowest first."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
