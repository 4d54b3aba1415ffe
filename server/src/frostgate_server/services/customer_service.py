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
from .customer_change import PresentState, plan_change, visible_partners
from .stored_responses import BatchChangeResult, ChangeResult, make_response, replay_response, request_key


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
        key = request_key(caller, command)
        if key and (stored := transaction.get_response(key)):
            return replay_response(stored, caller, command)
        customers = {customer_id: transaction.get_customer(customer_id) for customer_id in command.customer_ids}
        partner_ids = visible_partners(caller, customers.values())
        partners = {partner_id: transaction.get_partner(partner_id) for partner_id in partner_ids}
        present = PresentState(customers, partners, transaction.get_revision(), now)
        planned = plan_change(caller, command, present, self._retention_period)
        if command.validate_only:
            self._code_verifier.ensure_given(planned.purpose, command.verification_code)
            return planned.result
        if planned.purpose is not None:
            if attempt is None:
                return self._code_verifier.begin_attempt(transaction, planned.purpose, command.verification_code)
            self._code_verifier.spend(transaction, planned.purpose, attempt)
        for event, customer in planned.events:
            transaction.append_event(event, customer)
        if key:
            transaction.save_response(key, make_response(command, planned.result), now)
        return planned.result
