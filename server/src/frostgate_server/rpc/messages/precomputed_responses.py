"""Responses to checks, serialized when the server starts.

All checks of a cell have the same response except the revision. So a call appends the revision to the cell's bytes. The
field of the revision has the highest number in CheckOperationResponse.
"""

from collections.abc import Iterable, Mapping

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

_RESPONSE_TAG = bytes([BatchCheckResult.RESPONSE_FIELD_NUMBER << 3 | 2])
_RESULTS_TAG = bytes([BatchCheckOperationsResponse.RESULTS_FIELD_NUMBER << 3 | 2])


def precompute_responses(policy: Policy) -> dict[Key, bytes]:
    """A CheckOperationResponse without its revision for every cell, and for unknown customers."""
    return {**_responses_of_rules(policy), **_responses_on_unknown_customers(policy)}


class BatchResults(dict[Key, bytes]):
    """The results of one batch, encoded as in its response. Each is built when it is first looked up."""

    def __init__(self, responses: Mapping[Key, bytes], revision: int) -> None:
        """All results of a batch have the same revision."""
        self._responses = responses
        self._revision = CheckOperationResponse(revision=revision).SerializeToString()

    def __missing__(self, key: Key) -> bytes:
        response = self._responses[key] + self._revision
        result = self[key] = encode_result(_RESPONSE_TAG + _varint(len(response)) + response)
        return result


def encode_result(result: bytes) -> bytes:
    """A BatchCheckResult, encoded as in a BatchCheckOperationsResponse."""
    return _RESULTS_TAG + _varint(len(result)) + result


def encode_batch(results: Iterable[bytes], revision: int) -> bytes:
    """A BatchCheckOperationsResponse with results that `encode_result` encoded."""
    return b"".join(results) + BatchCheckOperationsResponse(revision=revision).SerializeToString()


def _responses_of_rules(policy: Policy) -> dict[Key, bytes]:
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


def _responses_on_unknown_customers(policy: Policy) -> dict[Key, bytes]:
    response = CheckOperationResponse(
        decision=wire(policy.unknown_customer),
        reason=wire(DecisionReason.CUSTOMER_UNKNOWN),
        message=UNKNOWN_CUSTOMER_MESSAGES[policy.unknown_customer],
        policy_version=policy.version,
    ).SerializeToString()
    return {(None, rule.cell.billing_mode, rule.cell.operation): response for rule in policy.rules}


def _varint(number: int) -> bytes:
    """A number of at least 0 as a protobuf varint: seven bits a byte, the lowest first."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
