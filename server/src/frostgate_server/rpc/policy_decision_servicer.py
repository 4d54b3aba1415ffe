"""PolicyDecisionService on the wire: check the request; then, for a caller who may: read the state, answer."""

import logging

from frostgate.v1.policy_decision_service_pb2 import (
    BatchCheckOperationsRequest,
    BatchCheckResult,
    CheckOperationRequest,
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
from .method_handlers import AuthorizedCall
from .precomputed_responses import BatchResults, PrecomputedResponses, encode_batch, encode_result
from .status_mapping import to_status

_log = logging.getLogger(__name__)


class PolicyDecisionServicer:
    """Answers checks. An answer is serialized already, so these methods give bytes where there is one ready."""

    def __init__(self, decisions: DecisionService, policy: Policy) -> None:
        """Makes an answer ready for every cell of the policy."""
        self._decisions = decisions
        self._ready = PrecomputedResponses(policy)
        self._rules = ListRulesResponse(
            rules=[rule_message(rule) for rule in policy.rules],
            unknown_customer_decision=wire(policy.unknown_customer),
            policy_version=policy.version,
        )

    def CheckOperation(self, request: CheckOperationRequest) -> AuthorizedCall:
        """One check: the state as it is now, and the cell's answer."""
        self._ensure_shape(request)

        def check(_: Caller) -> bytes:
            state, revision = self._decisions.state(request.customer_id, request.minimum_revision)
            if _log.isEnabledFor(logging.DEBUG):
                _log.debug("check of %s at revision %d: %s", _described(request), revision, state and state.name)
            return self._ready.answer(state, request.billing_mode, request.operation, revision)

        return check

    def BatchCheckOperations(self, request: BatchCheckOperationsRequest) -> AuthorizedCall:
        """Many checks from one state. A malformed one is its own result."""
        self._ensure_batch_shape(request)

        def check(_: Caller) -> bytes:
            checks = list(request.checks)
            minimum = max(request.minimum_revision, *[check.minimum_revision for check in checks])
            states, revision = self._decisions.states([check.customer_id for check in checks], minimum)
            ready = BatchResults(self._ready, revision)
            results = [
                ready[state, check.billing_mode, check.operation]
                if self._is_plain(check)
                else self._result(check, state, ready)
                for check, state in zip(checks, states, strict=True)
            ]
            return encode_batch(results, revision)

        return check

    def ListRules(self, _: ListRulesRequest) -> AuthorizedCall:
        """The whole policy."""
        return lambda _: self._rules

    def _ensure_shape(self, check: CheckOperationRequest) -> None:
        """Raises InvalidFields, OperationNotApplicable."""
        if self._is_plain(check):
            return
        fields = FieldValidator()
        fields.id("customer_id", check.customer_id)
        operation = fields.word("operation", check.operation, Operation)
        billing_mode = fields.word("billing_mode", check.billing_mode, BillingMode)
        fields.resource_id("resource_id", check.resource_id)
        fields.revision("minimum_revision", check.minimum_revision)
        fields.ensure()
        ensure_applicable(operation, billing_mode)

    def _is_plain(self, check: CheckOperationRequest) -> bool:
        """Whether a check is well formed and names no resource, as nearly all are: seen at once."""
        return (
            self._ready.has(check.billing_mode, check.operation)
            and is_id(check.customer_id) is not None
            and check.minimum_revision >= 0
            and not check.resource_id
        )

    def _result(self, check: CheckOperationRequest, state: FreezeState | None, ready: BatchResults) -> bytes:
        """The result of a check, or what is wrong with it."""
        try:
            self._ensure_shape(check)
        except FrostgateError as error:
            return encode_result(BatchCheckResult(error=to_status(error)).SerializeToString())
        return ready[state, check.billing_mode, check.operation]

    def _ensure_batch_shape(self, request: BatchCheckOperationsRequest) -> None:
        fields = FieldValidator()
        fields.batch_size("checks", len(request.checks))
        fields.revision("minimum_revision", request.minimum_revision)
        fields.ensure()


def _described(request: CheckOperationRequest) -> str:
    return text_format.MessageToString(request, as_one_line=True)
