"""PolicyDecisionService on the wire: each method checks its request, reads the state and answers."""

import logging

from frostgate.v1.policy_decision_service_pb2 import (
    BatchCheckOperationsRequest,
    BatchCheckResult,
    CheckOperationRequest,
    CheckOperationResponse,
    ListRulesRequest,
    ListRulesResponse,
)
from google.protobuf import text_format

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.enums import BillingMode, FreezeState, Operation
from frostgate_server.domain.errors import FrostgateError
from frostgate_server.policy.rules import Policy, ensure_applicable
from frostgate_server.services.decision_service import DecisionService

from .converters import rule_message, wire
from .field_validation import FieldValidator, is_id
from .precomputed_responses import BatchResults, encode_batch, encode_result, precompute_responses
from .status_mapping import to_status

_log = logging.getLogger(__name__)


class PolicyDecisionServicer:
    """Answers checks. An answer is serialized already, so these methods give bytes where there is one ready."""

    def __init__(self, decisions: DecisionService, policy: Policy) -> None:
        """Makes an answer ready for every cell of the policy."""
        self._decisions = decisions
        self._responses = precompute_responses(policy)
        self._applicable = {(mode, operation) for _, mode, operation in self._responses}
        self._rules = ListRulesResponse(
            rules=[rule_message(rule) for rule in policy.rules],
            unknown_customer_decision=wire(policy.unknown_customer),
            policy_version=policy.version,
        )

    def CheckOperation(self, _: Caller, request: CheckOperationRequest) -> bytes:
        """One check: the state as it is now, and the cell's answer."""
        if not self._is_plain(request):
            _ensure_shape(request)
        state, revision = self._decisions.read_state(request.customer_id, request.minimum_revision)
        if _log.isEnabledFor(logging.DEBUG):
            described = text_format.MessageToString(request, as_one_line=True)
            _log.debug("check of %s at revision %d: %s", described, revision, state and state.name)
        response = self._responses[state, request.billing_mode, request.operation]
        return response + CheckOperationResponse(revision=revision).SerializeToString()

    def BatchCheckOperations(self, _: Caller, request: BatchCheckOperationsRequest) -> bytes:
        """Many checks from one state. A malformed one is its own result."""
        _ensure_batch_shape(request)
        checks = list(request.checks)
        minimum = max(request.minimum_revision, *[check.minimum_revision for check in checks])
        states, revision = self._decisions.read_states([check.customer_id for check in checks], minimum)
        ready = BatchResults(self._responses, revision)
        results = [
            ready[state, check.billing_mode, check.operation] if self._is_plain(check) else _result(check, state, ready)
            for check, state in zip(checks, states, strict=True)
        ]
        return encode_batch(results, revision)

    def ListRules(self, _: Caller, __: ListRulesRequest) -> ListRulesResponse:
        """The whole policy."""
        return self._rules

    def _is_plain(self, check: CheckOperationRequest) -> bool:
        """Whether a check is well formed and names no resource, as nearly all are: the short way to see it."""
        return (
            (check.billing_mode, check.operation) in self._applicable
            and is_id(check.customer_id) is not None
            and check.minimum_revision >= 0
            and not check.resource_id
        )


def _ensure_shape(check: CheckOperationRequest) -> None:
    """Raises InvalidFields, OperationNotApplicable."""
    with FieldValidator() as fields:
        fields.id("customer_id", check.customer_id)
        operation = fields.word("operation", check.operation, Operation)
        billing_mode = fields.word("billing_mode", check.billing_mode, BillingMode)
        fields.resource_id("resource_id", check.resource_id)
        fields.revision("minimum_revision", check.minimum_revision)
    ensure_applicable(operation, billing_mode)


def _ensure_batch_shape(request: BatchCheckOperationsRequest) -> None:
    with FieldValidator() as fields:
        fields.batch_size("checks", len(request.checks))
        fields.revision("minimum_revision", request.minimum_revision)


def _result(check: CheckOperationRequest, state: FreezeState | None, ready: BatchResults) -> bytes:
    """The result of a check, or the error of a malformed one."""
    try:
        _ensure_shape(check)
    except FrostgateError as error:
        return encode_result(BatchCheckResult(error=to_status(error)).SerializeToString())
    return ready[state, check.billing_mode, check.operation]
