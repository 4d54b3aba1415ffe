"""The use case of the partner center's backend: changing customers."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Protocol, cast

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.clock import utc_now
from frostgate_server.domain.errors import FrostgateError, KeptAnswersFull, PartnerMismatch
from frostgate_server.storage.interface import Store, Transaction

from .code_verifier import CodeAttempt, CodeVerifier
from .commands import ChangeCommand
from .customer_change import PresentState, plan_change, visible_partners
from .futures import convert
from .stored_responses import BatchChangeResult, ChangeResult, make_response, replay_response, request_key


class RefusalRecorder(Protocol):
    """Records refusals for the audit log."""

    def record(self, principal: str, method: str, error: FrostgateError, more: int = 0) -> None:
        """Records a call that was refused, and `more` further items of it that were refused for the same reason."""


class CustomerService:
    """Changes customers.

    Every change returns a future at once. The future may fail with the errors of the command's transition, with
    RequestIdReused, with KeptAnswersFull if the command has a request_id, and with CallerCancelled if the caller no
    longer waits when its turn comes or when the change is planned. Then nothing has changed. All commands except an
    association may fail with VerificationCodeRequired, VerificationCodeInvalid and VerificationRateLimited, and with
    RevisionMismatch if a revision is expected. A caller that is bound to partners gets PartnerMismatch instead of
    CustomerNotFound, and for customers of other partners.
    """

    def __init__(
        self,
        store: Store,
        code_verifier: CodeVerifier,
        refusals: RefusalRecorder,
        retention_period: timedelta,
        clock: Callable[[], datetime] = utc_now,
        kept_megabytes: int = 0,
    ) -> None:
        """Keeps the resources of later freezes for `retention_period`. Records refused items of batches in `refusals`.

        `kept_megabytes` is the approximate limit of the answers that are kept for a caller. 0: no limit.
        """
        self._store = store
        self._code_verifier = code_verifier
        self._refusals = refusals
        self._retention_period = retention_period
        self._clock = clock
        self._kept_megabytes = kept_megabytes

    def change_customer(self, caller: Caller, command: ChangeCommand) -> Future[ChangeResult]:
        """Changes one customer."""
        return cast(Future[ChangeResult], self._run(caller, command))

    def change_customers(self, caller: Caller, command: ChangeCommand) -> Future[BatchChangeResult]:
        """Changes customers in one transaction. A refused customer gets an error as its result.

        The future may fail with InvalidFields.
        """
        result = cast(Future[BatchChangeResult], self._run(caller, command))
        return convert(result, self._record_mismatches, caller, command)

    def _run(self, caller: Caller, command: ChangeCommand) -> Future[ChangeResult | BatchChangeResult]:
        """Submits the change: one transaction, or two if a code must be compared in between."""
        change = partial(self._change, caller, command)
        if command.verification_code:
            return self._code_verifier.run(change, command.verification_code)
        result = self._store.submit_transaction(partial(change, attempt=None))
        return cast(Future[ChangeResult | BatchChangeResult], result)

    def _record_mismatches(
        self, result: BatchChangeResult, caller: Caller, command: ChangeCommand
    ) -> BatchChangeResult:
        """Records the customers of a batch that the caller may not see."""
        mismatches = [outcome for _, outcome in result.results if isinstance(outcome, PartnerMismatch)]
        if mismatches:
            self._refusals.record(caller.principal, command.method, mismatches[0], len(mismatches) - 1)
        return result

    def _change(
        self, caller: Caller, command: ChangeCommand, transaction: Transaction, *, attempt: CodeAttempt | None
    ) -> ChangeResult | BatchChangeResult | CodeAttempt:
        """Makes the change in a transaction after all checks, which come in a fixed order.

        If a code is required, this runs twice: first without an `attempt`, to begin one, then with the attempt.
        """
        caller.ensure_waits()
        now = self._clock()
        key = request_key(caller, command)
        if key and (stored := transaction.get_response(key, now)):
            return replay_response(stored, caller, command)
        customers = {customer_id: transaction.get_customer(customer_id) for customer_id in command.customer_ids}
        partner_ids = visible_partners(caller, customers.values())
        partners = {partner_id: transaction.get_partner(partner_id) for partner_id in partner_ids}
        present = PresentState(customers, partners, transaction.get_revision(), now)
        planned = plan_change(caller, command, present, self._retention_period)
        if command.validate_only:
            self._code_verifier.ensure_given(planned.purpose, command.verification_code)
            return planned.result
        if key and planned.events:
            self._ensure_room(transaction, caller, now)
        if planned.purpose is not None:
            if attempt is None:
                return self._code_verifier.begin_attempt(transaction, planned.purpose, command.verification_code)
            self._code_verifier.spend(transaction, planned.purpose, attempt)
        caller.ensure_waits()
        for event, customer in planned.events:
            transaction.append_event(event, customer)
        if key and planned.events:
            transaction.save_response(key, make_response(command, planned.result), now)
        return planned.result

    def _ensure_room(self, transaction: Transaction, caller: Caller, now: datetime) -> None:
        """Raises KeptAnswersFull if the answers kept for the caller have reached the limit."""
        if not self._kept_megabytes:
            return
        kept, expire_time = transaction.count_kept_bytes(caller.principal, now)
        if kept >= self._kept_megabytes * 10**6:
            wait = max(1, ceil((expire_time - now).total_seconds()))
            raise KeptAnswersFull(wait, caller.principal, self._kept_megabytes)
