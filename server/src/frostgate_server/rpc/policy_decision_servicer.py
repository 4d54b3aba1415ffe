"""PolicyDecisionService on the wire: each method validates its request, reads the state and answers."""

import logging
from collections.abc import Sequence

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
from frostgate_server.domain.errors import FrostgateError, StorageUnavailable
from frostgate_server.policy.rules import Policy, ensure_applicable
from frostgate_server.services.decision_service import DecisionService, revision_not_reached

from .messages.converters import rule_message, wire
from .messages.field_validation import FieldValidator, is_id
from .messages.precomputed_responses import BatchResults, encode_batch, encode_result, precompute_responses
from .status_mapping import to_status

_log = logging.getLogger(__name__)


class PolicyDecisionServicer:
    """Answers checks. The answers to checks are serialized in advance, so these methods return bytes."""

    def __init__(self, decisions: DecisionService, policy: Policy) -> None:
        """Serializes an answer for every cell of the policy."""
        self._decisions = decisions
        self._responses = precompute_responses(policy)
        self._applicable = {(mode, operation) for _, mode, operation in self._responses}
        self._rules = ListRulesResponse(
            rules=[rule_message(rule) for rule in policy.rules],
            unknown_customer_decision=wire(policy.unknown_customer),
            policy_version=policy.version,
        )

    def CheckOperation(self, _: Caller, request: CheckOperationRequest) -> bytes:
        """Answers one check from the current state. Raises FrostgateError."""
        (answer,) = self.check_group([request])
        if isinstance(answer, FrostgateError):
            raise answer
        return answer

    def check_group(
        self, requests: Sequence[CheckOperationRequest], *, logged: bool = True
    ) -> list[bytes | FrostgateError]:
        """Answers single checks that came at the same time from one read of the store. Gives an answer or error each.

        `logged`: logs the checks at level debug. Raises StorageUnavailable if the read failed, even if only one check
        caused it.
        """
        errors = [None if self._is_plain(request) else _find_shape_error(request) for request in requests]
        well_formed = [request for request, error in zip(requests, errors, strict=True) if error is None]
        if not well_formed:
            return [error for error in errors if error is not None]
        states, revision = self._decisions.read_group([request.customer_id for request in well_formed])
        encoded_revision = CheckOperationResponse(revision=revision).SerializeToString()
        if logged and _log.isEnabledFor(logging.DEBUG):
            _log_checks(well_formed, states, revision)
        remaining = iter(states)
        return [
            error or self._answer(request, next(remaining), revision, encoded_revision)
            for request, error in zip(requests, errors, strict=True)
        ]

    def BatchCheckOperations(self, caller: Caller, request: BatchCheckOperationsRequest) -> bytes:
        """Answers many checks from one state. A malformed check gets an error as its result, and so does a check of a
        customer whose data is damaged.

        Raises CallerCancelled if the caller no longer waits before the read or before the answers are built: both take
        time.
        """
        _ensure_batch_shape(request)
        caller.ensure_waits()
        checks = list(request.checks)
        minimum = max(request.minimum_revision, *[check.minimum_revision for check in checks])
        states, revision = self._decisions.read_states([check.customer_id for check in checks], minimum)
        caller.ensure_waits()
        ready = BatchResults(self._responses, revision)
        results = [
            ready[state, check.billing_mode, check.operation]
            if self._is_plain(check) and not isinstance(state, StorageUnavailable)
            else _result(check, state, ready)
            for check, state in zip(checks, states, strict=True)
        ]
        return encode_batch(results, revision)

    def ListRules(self, _: Caller, __: ListRulesRequest) -> ListRulesResponse:
        """Returns the whole policy."""
        return self._rules

    def _answer(
        self, request: CheckOperationRequest, state: FreezeState | None, revision: int, encoded_revision: bytes
    ) -> bytes | FrostgateError:
        """The answer to a well-formed check from a state that was read at a revision."""
        if revision < request.minimum_revision:
            return revision_not_reached(request.minimum_revision, revision)
        return self._responses[state, request.billing_mode, request.operation] + encoded_revision

    def _is_plain(self, check: CheckOperationRequest) -> bool:
        """Whether a check is well formed and names no resource. This fast test is enough for nearly all checks."""
        return (
            (check.billing_mode, check.operation) in self._applicable
            and is_id(check.customer_id) is not None
            and check.minimum_revision >= 0
            and not check.resource_id
        )


def _log_checks(requests: Sequence[CheckOperationRequest], states: Sequence[FreezeState | None], revision: int) -> None:
    for request, state in zip(requests, states, strict=True):
        described = text_format.MessageToString(request, as_one_line=True)
        _log.debug("check of %s at revision %d: %s", described, revision, state and state.name)


def _ensure_shape(check: CheckOperationRequest) -> None:
    """Raises InvalidFields, OperationNotApplicable."""
    with FieldValidator() as fields:
        fields.id("customer_id", check.customer_id)
        operation = fields.word("operation", check.operation, Operation)
        billing_mode = fields.word("billing_mode", check.billing_mode, BillingMode)
        fields.resource_id("resource_id", check.resource_id)
        fields.revision("minimum_revision", check.minimum_revision)
    ensure_applicable(operation, billing_mode)


def _find_shape_error(check: CheckOperationRequest) -> FrostgateError | None:
    try:
        _ensure_shape(check)
    except FrostgateError as error:
        return error
    return None


def _ensure_batch_shape(request: BatchCheckOperationsRequest) -> None:
    with FieldValidator() as fields:
        fields.batch_size("checks", len(request.checks))
        fields.revision("minimum_revision", request.minimum_revision)


def _result(check: CheckOperationRequest, state: FreezeState | StorageUnavailable | None, ready: BatchResults) -> bytes:
    """The result of a check, or its error: that of its fields, or of the data of its customer."""
    error = _find_shape_error(check)
    if error is None:
        if not isinstance(state, StorageUnavailable):
            return ready[state, check.billing_mode, check.operation]
        _log.error("%s: %s", state.reason, state.detail)
        error = state
    return encode_result(BatchCheckResult(error=to_status(error)).SerializeToString())
