"""The use cases of the partner center: what a call does, in which order. Knows no transport and no SQL.

Order of checks: shape, identity and role (before it comes here) → replay → partner and existence → transition → code
required → code compared.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from frostgate_server.domain import customer as transitions
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.clock import utc_now
from frostgate_server.domain.customer import Customer, Moment
from frostgate_server.domain.enums import FreezeEventAction, FreezeScope
from frostgate_server.domain.errors import (
    FrostgateError,
    PartnerMismatch,
    RequestIdReused,
)
from frostgate_server.domain.verification_errors import VerificationCodeRequired
from frostgate_server.storage.interface import Store, Transaction
from frostgate_server.storage.queries import RequestKey, StoredResponse

from .code_verifier import CodeVerifier, PlannedChange
from .customer_change import (
    CustomerChange,
    CustomerTransition,
    ensure_one_partner_with_codes,
    partners_seen,
    plan_transitions,
)
from .stored_responses import (
    BatchChangeResult,
    ChangeResult,
    ensure_may_be_told,
    parse_batch_result,
    parse_change_result,
    serialize_response,
)

_Answer = TypeVar("_Answer", ChangeResult, BatchChangeResult)


class RefusalRecorder(Protocol):
    """Keeps refusals for who looks for them later."""

    def record(self, principal: str, method: str, error: FrostgateError, more: int = 0) -> None:
        """Takes note of a call that was refused, and of `more` items of it that were refused likewise."""


class CustomerService:
    """Changes customers.

    Every change may raise RequestIdReused, and CallerCancelled if the caller no longer waits when its turn comes: then
    nothing has changed. All but `associate` may raise VerificationCodeRequired, VerificationCodeInvalid and
    VerificationRateLimited. An empty request_id or code stands for none. A caller that is bound to partners gets
    PartnerMismatch in the place of CustomerNotFound and PartnerNotFound, and for what is not theirs.
    """

    def __init__(
        self,
        store: Store,
        code_verifier: CodeVerifier,
        refusals: RefusalRecorder,
        retention_period: timedelta,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Resources frozen from now on are retained for `retention_period`. Refused items of batches are noted."""
        self._store = store
        self._code_verifier = code_verifier
        self._refusals = refusals
        self._retention_period = retention_period
        self._clock = clock

    def associate(self, caller: Caller, customer_id: str, partner_id: str, request_id: str) -> ChangeResult:
        """Associates a customer with a partner: frozen by default. Raises CustomerAlreadyAssociated."""

        def associated(customer_id: str, before: Customer | None, at: Moment) -> Customer:
            caller.ensure_sees(partner_id)
            return transitions.associate(customer_id, before, partner_id, at)

        reason = transitions.ASSOCIATION_REASON
        change = CustomerChange(caller, FreezeEventAction.ASSOCIATED, None, reason, request_id, "", associated)
        return self._one(change, "AssociateCustomer", customer_id, partner_id)

    def disassociate(self, caller: Caller, customer_id: str, reason: str, code: str, request_id: str) -> ChangeResult:
        """Makes a customer unknown, from any state. Raises CustomerNotFound."""

        def disassociated(customer_id: str, before: Customer | None, _: Moment) -> None:
            transitions.disassociate(customer_id, before)

        change = CustomerChange(caller, FreezeEventAction.DISASSOCIATED, None, reason, request_id, code, disassociated)
        return self._one(change, "DisassociateCustomer", customer_id)

    def freeze(
        self,
        caller: Caller,
        customer_id: str,
        scope: FreezeScope,
        reason: str,
        code: str,
        request_id: str,
        *,
        validate_only: bool,
    ) -> ChangeResult:
        """Freezes a customer, or freezes it further. Raises CustomerNotFound, AlreadyFrozen."""
        change = self._freezing(caller, scope, reason, code, request_id)
        return self._one(change, "FreezeCustomer", customer_id, validate_only=validate_only)

    def unfreeze(
        self,
        caller: Caller,
        customer_id: str,
        scope: FreezeScope,
        reason: str,
        code: str,
        request_id: str,
        *,
        validate_only: bool,
    ) -> ChangeResult:
        """Unfreezes a customer. Raises CustomerNotFound, NotFrozen, ScopeMismatch."""
        change = self._unfreezing(caller, scope, reason, code, request_id)
        return self._one(change, "UnfreezeCustomer", customer_id, validate_only=validate_only)

    def batch_freeze(
        self, caller: Caller, customer_ids: list[str], scope: FreezeScope, reason: str, code: str, request_id: str
    ) -> BatchChangeResult:
        """Freezes customers in one transaction; a refused one is its result. Raises InvalidFields."""
        change = self._freezing(caller, scope, reason, code, request_id)
        return self._many(change, "BatchFreezeCustomers", customer_ids)

    def batch_unfreeze(
        self, caller: Caller, customer_ids: list[str], scope: FreezeScope, reason: str, code: str, request_id: str
    ) -> BatchChangeResult:
        """Unfreezes customers in one transaction; a refused one is its result. Raises InvalidFields."""
        change = self._unfreezing(caller, scope, reason, code, request_id)
        return self._many(change, "BatchUnfreezeCustomers", customer_ids)

    def _freezing(self, caller: Caller, scope: FreezeScope, reason: str, code: str, request_id: str) -> CustomerChange:
        def frozen(customer_id: str, before: Customer | None, at: Moment) -> Customer:
            return transitions.freeze(customer_id, before, scope, reason, self._retention_period, at)

        return CustomerChange(caller, FreezeEventAction.FROZEN, scope, reason, request_id, code, frozen)

    def _unfreezing(
        self, caller: Caller, scope: FreezeScope, reason: str, code: str, request_id: str
    ) -> CustomerChange:
        def unfrozen(customer_id: str, before: Customer | None, at: Moment) -> Customer:
            return transitions.unfreeze(customer_id, before, scope, at)

        return CustomerChange(caller, FreezeEventAction.UNFROZEN, scope, reason, request_id, code, unfrozen)

    def _foreseen(self, change: CustomerChange, customer_id: str) -> ChangeResult:
        """What a change would do: nothing is changed, kept or replayed, and a code only looked for."""
        at = Moment(self._store.get_revision(), self._clock())
        step = change.step(customer_id, self._store.get_customer(customer_id), at)
        purpose = change.purpose(self._store, [step], [customer_id])
        if purpose is not None and not change.code:
            raise VerificationCodeRequired(partner_id=purpose.partner_id, action=purpose.action.name)
        return ChangeResult(step.after, at.revision, step.partner_id)

    def _one(
        self, change: CustomerChange, method: str, customer_id: str, *more_content: str, validate_only: bool = False
    ) -> ChangeResult:
        if validate_only:
            return self._foreseen(change, customer_id)

        def plan(transaction: Transaction) -> PlannedChange[ChangeResult]:
            at = Moment(transaction.get_revision() + 1, self._clock())
            step = change.step(customer_id, transaction.get_customer(customer_id), at)

            def carry_out() -> ChangeResult:
                change.record(transaction, step)
                return ChangeResult(step.after, at.revision, step.partner_id)

            return PlannedChange(change.purpose(transaction, [step], [customer_id]), carry_out)

        content = [customer_id, change.scope, change.reason, *more_content]
        return self._once(change, method, content, plan, parse_change_result)

    def _many(self, change: CustomerChange, method: str, customer_ids: list[str]) -> BatchChangeResult:
        def plan(transaction: Transaction) -> PlannedChange[BatchChangeResult]:
            before = {customer_id: transaction.get_customer(customer_id) for customer_id in customer_ids}
            partner_ids = partners_seen(change.caller, before.values())
            ensure_one_partner_with_codes(transaction, partner_ids)
            outcomes = plan_transitions(change, before, transaction.get_revision(), self._clock())
            steps = [outcome for outcome in outcomes if isinstance(outcome, CustomerTransition)]

            def carry_out() -> BatchChangeResult:
                for step in steps:
                    change.record(transaction, step)
                results = zip(customer_ids, map(_result, outcomes), strict=True)
                return BatchChangeResult(tuple(results), transaction.get_revision(), tuple(partner_ids))

            return PlannedChange(change.purpose(transaction, steps, customer_ids), carry_out)

        batch = self._once(change, method, [customer_ids, change.scope, change.reason], plan, parse_batch_result)
        mismatches = [result for _, result in batch.results if isinstance(result, PartnerMismatch)]
        if mismatches:
            self._refusals.record(change.caller.principal, method, mismatches[0], len(mismatches) - 1)
        return batch

    def _once(
        self,
        change: CustomerChange,
        method: str,
        content: Sequence[object],
        plan: Callable[[Transaction], PlannedChange[_Answer]],
        read: Callable[[str], _Answer],
    ) -> _Answer:
        """Carries the plan out, or gives the first answer again if this request was answered before."""
        key = RequestKey(change.caller.principal, method, change.request_id)
        fingerprint = hashlib.sha256(json.dumps(content).encode()).hexdigest()

        def replay_event(earlier: StoredResponse) -> _Answer:
            if earlier.fingerprint != fingerprint:
                raise RequestIdReused(request_id=key.request_id)
            answer = read(earlier.answer)
            ensure_may_be_told(change.caller, answer)
            return answer

        def plan_once(transaction: Transaction) -> PlannedChange[_Answer]:
            if not key.request_id:
                return plan(transaction)
            if earlier := transaction.get_response(key):
                answer = replay_event(earlier)
                return PlannedChange(None, lambda: answer)
            planned = plan(transaction)

            def carry_out() -> _Answer:
                answer = planned.carry_out()
                transaction.save_response(key, StoredResponse(fingerprint, serialize_response(answer)), self._clock())
                return answer

            return PlannedChange(planned.purpose, carry_out)

        return self._code_verifier.write(change.caller, plan_once, change.code)


def _result(outcome: CustomerTransition | FrostgateError) -> Customer | FrostgateError:
    if isinstance(outcome, FrostgateError):
        return outcome
    assert outcome.after is not None, "freezing and unfreezing leave a customer"
    return outcome.after
