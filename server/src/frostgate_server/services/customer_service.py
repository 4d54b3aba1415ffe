"""The use case of the partner center's backend: changes of customers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.clock import utc_now
from frostgate_server.domain.errors import FrostgateError, PartnerMismatch
from frostgate_server.storage.interface import Store, Transaction

from .code_verifier import CodeAttempt, CodeVerifier
from .commands import ChangeCommand
from .customer_change import append_transition, find_purpose, plan_change
from .stored_responses import BatchChangeResult, ChangeResult, find_response, save_response


class RefusalRecorder(Protocol):
    """Keeps refusals for a later reader."""

    def record(self, principal: str, method: str, error: FrostgateError, more: int = 0) -> None:
        """Takes note of a call that was refused, and of `more` items of it that were refused likewise."""


class CustomerService:
    """Changes customers.

    Every change may raise RequestIdReused; CallerCancelled if the caller no longer waits when its turn comes: then
    nothing has changed; and what its command's transition raises. All but an association may raise
    VerificationCodeRequired, VerificationCodeInvalid and VerificationRateLimited, and RevisionMismatch where a
    revision is expected. A caller that is bound to partners gets PartnerMismatch in the place of CustomerNotFound, and
    for customers of others.
    """

    def __init__(
        self,
        store: Store,
        code_verifier: CodeVerifier,
        refusals: RefusalRecorder,
        retention_period: timedelta,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Resources frozen from now on are retained for `retention_period`. Refused items of batches are recorded."""
        self._store = store
        self._code_verifier = code_verifier
        self._refusals = refusals
        self._retention_period = retention_period
        self._clock = clock

    def change_customer(self, caller: Caller, command: ChangeCommand) -> ChangeResult:
        """Changes one customer."""
        result = self._code_verifier.run(partial(self._change, caller, command), command.verification_code)
        assert isinstance(result, ChangeResult), "a command for one customer has one result"
        return result

    def change_customers(self, caller: Caller, command: ChangeCommand) -> BatchChangeResult:
        """Changes customers in one transaction. A refused one is its own result. Raises InvalidFields."""
        result = self._code_verifier.run(partial(self._change, caller, command), command.verification_code)
        assert isinstance(result, BatchChangeResult), "a batch has the results of a batch"
        mismatches = [outcome for _, outcome in result.results if isinstance(outcome, PartnerMismatch)]
        if mismatches:
            self._refusals.record(caller.principal, command.method, mismatches[0], len(mismatches) - 1)
        return result

    def _change(
        self, caller: Caller, command: ChangeCommand, transaction: Transaction, *, attempt: CodeAttempt | None
    ) -> ChangeResult | BatchChangeResult | CodeAttempt:
        """Makes the change in a transaction, after all checks, in their order.

        Where a code is required this runs twice: first without an `attempt`, to begin one, then with it.
        """
        caller.ensure_waits()
        now = self._clock()
        if not command.validate_only and (earlier := find_response(transaction, caller, command)):
            return earlier
        planned = plan_change(transaction, caller, command, self._retention_period, now)
        purpose = find_purpose(transaction, command, planned)
        if command.validate_only:
            self._code_verifier.ensure_given(purpose, command.verification_code)
            return planned.result(command, planned.revision)
        if purpose is not None:
            if attempt is None:
                return self._code_verifier.begin_attempt(transaction, purpose, command.verification_code)
            self._code_verifier.spend(transaction, purpose, attempt)
        for transition in planned.transitions:
            append_transition(transaction, caller, command, transition)
        result = planned.result(command, transaction.get_revision())
        save_response(transaction, caller, command, result, now)
        return result
