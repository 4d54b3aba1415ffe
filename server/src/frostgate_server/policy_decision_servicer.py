"""PolicyDecisionService on the wire: check the request, read the state, answer."""

import logging
from collections.abc import Iterable

import grpc
from frostgate.v1.policy_decision_service_pb2 import (
    BatchCheckOperationsRequest,
    BatchCheckOperationsResponse,
    BatchCheckResult,
    CheckOperationRequest,
    ListRulesRequest,
    ListRulesResponse,
)
from google.protobuf import text_format

from .decisions import DecisionService
from .errors import FrostgateError
from .messages import rule_message, wire
from .policy import Policy, ensure_applicable
from .ready_answers import ready_answers, revision_bytes, varint
from .shapes import LONGEST_RESOURCE_ID, Shape, is_id
from .statuses import status_of
from .vocabulary import BillingMode, Operation

_log = logging.getLogger(__name__)

_RESULTS_TAG = bytes([BatchCheckOperationsResponse.RESULTS_FIELD_NUMBER << 3 | 2])
_RESPONSE_TAG = bytes([BatchCheckResult.RESPONSE_FIELD_NUMBER << 3 | 2])


class PolicyDecisionServicer:
    """Answers checks. An answer is serialized already, so these methods give bytes where there is an answer ready."""

    def __init__(self, decisions: DecisionService, policy: Policy) -> None:
        """Makes an answer ready for every cell of the policy."""
        self._decisions = decisions
        self._answers = ready_answers(policy)
        self._rules = ListRulesResponse(
            rules=[rule_message(rule) for rule in policy.rules],
            unknown_customer_decision=wire(policy.unknown_customer),
            policy_version=policy.version,
        )

    def CheckOperation(self, request: CheckOperationRequest, _: grpc.ServicerContext) -> bytes:
        """One check: the state as it is now, and the cell's answer."""
        self._ensure_shape(request)
        state, revision = self._decisions.state(request.customer_id, request.minimum_revision)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("check of %s at revision %d: state %s", _described(request), revision, state)
        return self._answers[state, request.billing_mode, request.operation] + revision_bytes(revision)

    def BatchCheckOperations(self, request: BatchCheckOperationsRequest, _: grpc.ServicerContext) -> bytes:
        """Many checks from one state. A malformed one is its own result."""
        self._ensure_batch_shape(request)
        errors: dict[int, bytes] = {}
        for place, check in enumerate(request.checks):
            try:
                self._ensure_shape(check)
            except FrostgateError as error:
                errors[place] = BatchCheckResult(error=status_of(error)).SerializeToString()
        sound = [check for place, check in enumerate(request.checks) if place not in errors]
        minimum = max(request.minimum_revision, *(check.minimum_revision for check in request.checks))
        states, revision = self._decisions.states([check.customer_id for check in sound], minimum)
        answers = iter(zip(states, sound, strict=True))
        at_revision = revision_bytes(revision)
        results = []
        for place in range(len(request.checks)):
            if place in errors:
                results.append(errors[place])
                continue
            state, check = next(answers)
            answer = self._answers[state, check.billing_mode, check.operation] + at_revision
            results.append(_RESPONSE_TAG + varint(len(answer)) + answer)
        return _batch_response(results, revision)

    def ListRules(self, _: ListRulesRequest, __: grpc.ServicerContext) -> ListRulesResponse:
        """The whole policy."""
        return self._rules

    def _ensure_shape(self, check: CheckOperationRequest) -> None:
        """Raises InvalidFields, OperationNotApplicable. What is well formed, nearly every check, is seen at once."""
        if (
            (None, check.billing_mode, check.operation) in self._answers
            and is_id(check.customer_id)
            and check.minimum_revision >= 0
            and len(check.resource_id) <= LONGEST_RESOURCE_ID // 4
        ):
            return
        shape = Shape()
        shape.id("customer_id", check.customer_id)
        operation = shape.word("operation", check.operation, Operation)
        billing_mode = shape.word("billing_mode", check.billing_mode, BillingMode)
        shape.resource_id("resource_id", check.resource_id)
        shape.revision("minimum_revision", check.minimum_revision)
        shape.ensure()
        ensure_applicable(operation, billing_mode)

    def _ensure_batch_shape(self, request: BatchCheckOperationsRequest) -> None:
        shape = Shape()
        shape.batch_size("checks", len(request.checks))
        shape.revision("minimum_revision", request.minimum_revision)
        shape.ensure()


def _described(request: CheckOperationRequest) -> str:
    return text_format.MessageToString(request, as_one_line=True)


def _batch_response(results: Iterable[bytes], revision: int) -> bytes:
    written = b"".join([_RESULTS_TAG + varint(len(result)) + result for result in results])
    return written + BatchCheckOperationsResponse(revision=revision).SerializeToString()
