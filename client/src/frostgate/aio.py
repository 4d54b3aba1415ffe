"""The asynchronous client: the same methods as frostgate.Client, to be awaited."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from . import models
from .aio_connection import Connection
from .enums import BillingMode, FreezeScope, FreezeState, Operation, VerificationAction
from .requests import customers, decisions, partners
from .requests.call import RequestId


class Client(Connection):
    """Calls a frostgate, from one event loop. Close it, or use it in an `async with`.

    Every call ends within its timeout, retries included. What fails with UNAVAILABLE is tried again, with growing
    pauses; what is refused with OVERLOADED, after the time that the server says; nothing else is. Changes of customers
    carry a request_id, made here if none is given, so that a retry cannot act twice; `update_partner` and
    `send_verification_code` have none, and are sent once. Every method raises FrostgateError where there is no answer;
    see frostgate.errors.
    """

    async def check_operation(
        self,
        *,
        customer_id: str,
        operation: Operation,
        billing_mode: BillingMode,
        resource_id: str | None = None,
        minimum_revision: int | None = None,
        timeout: float | None = None,
    ) -> models.Decision:
        """Decides on one operation. A denial is an answer: `decision.allowed` is False."""
        call = decisions.check_operation(customer_id, operation, billing_mode, resource_id, minimum_revision)
        return await self._answer(call, timeout)

    async def batch_check_operations(
        self,
        checks: Iterable[models.Check],
        *,
        minimum_revision: int | None = None,
        timeout: float | None = None,
    ) -> models.BatchDecisions:
        """Decides on 1 to 1,000 operations, all from one state, in the order asked."""
        return await self._answer(decisions.batch_check_operations(checks, minimum_revision), timeout)

    async def list_rules(self, *, timeout: float | None = None) -> models.Policy:
        """The whole policy, as this deployment applies it."""
        return await self._answer(decisions.list_rules(), timeout)

    async def associate_customer(
        self, *, customer_id: str, partner_id: str, request_id: RequestId = None, timeout: float | None = None
    ) -> models.Association:
        """Associates a customer with a partner: its account is frozen by default.

        Raises AlreadyExists, OutcomeUnknown.
        """
        return await self._answer(customers.associate_customer(customer_id, partner_id, request_id), timeout)

    async def disassociate_customer(
        self,
        *,
        customer_id: str,
        reason: str,
        verification_code: str = "",
        request_id: RequestId = None,
        expected_revision: int | None = None,
        timeout: float | None = None,
    ) -> models.Disassociation:
        """Ends the association of a customer; with `expected_revision` only if the customer's revision is this one.

        Raises NotFound, RevisionMismatch, OutcomeUnknown.
        """
        call = customers.disassociate_customer(customer_id, reason, verification_code, request_id, expected_revision)
        return await self._answer(call, timeout)

    async def freeze_customer(
        self,
        *,
        customer_id: str,
        scope: FreezeScope,
        reason: str,
        verification_code: str = "",
        request_id: RequestId = None,
        validate_only: bool = False,
        expected_revision: int | None = None,
        timeout: float | None = None,
    ) -> models.FreezeResult:
        """Freezes a customer, or freezes it further.

        `validate_only` only tells what would be done. With `expected_revision` the change is made only if the
        customer's revision is this one. Raises NotFound, RevisionMismatch, FailedPrecondition, OutcomeUnknown.
        """
        call = customers.freeze_customer(
            customer_id, scope, reason, verification_code, request_id, validate_only, expected_revision
        )
        return await self._answer(call, timeout)

    async def unfreeze_customer(
        self,
        *,
        customer_id: str,
        scope: FreezeScope,
        reason: str,
        verification_code: str = "",
        request_id: RequestId = None,
        validate_only: bool = False,
        expected_revision: int | None = None,
        timeout: float | None = None,
    ) -> models.FreezeResult:
        """Unfreezes a customer, by the scope it is frozen with.

        `validate_only` only tells what would be done. With `expected_revision` the change is made only if the
        customer's revision is this one. Raises NotFound, RevisionMismatch, FailedPrecondition, OutcomeUnknown.
        """
        call = customers.unfreeze_customer(
            customer_id, scope, reason, verification_code, request_id, validate_only, expected_revision
        )
        return await self._answer(call, timeout)

    async def batch_freeze_customers(
        self,
        customer_ids: Iterable[str],
        *,
        scope: FreezeScope,
        reason: str,
        verification_code: str = "",
        request_id: RequestId = None,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> models.BatchFreezeResult:
        """Freezes 1 to 1,000 customers; what is refused is that customer's result.

        `validate_only` only tells what would be done. Raises OutcomeUnknown.
        """
        call = customers.batch_freeze_customers(
            customer_ids, scope, reason, verification_code, request_id, validate_only
        )
        return await self._answer(call, timeout)

    async def batch_unfreeze_customers(
        self,
        customer_ids: Iterable[str],
        *,
        scope: FreezeScope,
        reason: str,
        verification_code: str = "",
        request_id: RequestId = None,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> models.BatchFreezeResult:
        """Unfreezes 1 to 1,000 customers; what is refused is that customer's result.

        `validate_only` only tells what would be done. Raises OutcomeUnknown.
        """
        call = customers.batch_unfreeze_customers(
            customer_ids, scope, reason, verification_code, request_id, validate_only
        )
        return await self._answer(call, timeout)

    async def get_customer(self, *, customer_id: str, timeout: float | None = None) -> models.Customer:
        """The customer. Raises NotFound."""
        return await self._answer(customers.get_customer(customer_id), timeout)

    def list_customers(
        self,
        *,
        partner_id: str,
        freeze_state: FreezeState | None = None,
        retention_expired: bool | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[models.Customer]:
        """A partner's customers by id, page by page as you go on; `timeout` is that of a page. Raises NotFound."""
        return self._items(customers.list_customers(partner_id, freeze_state, retention_expired, page_size), timeout)

    def list_freeze_events(
        self,
        *,
        customer_id: str | None = None,
        partner_id: str | None = None,
        after_revision: int | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[models.FreezeEvent]:
        """What happened, the newest first, page by page as you go on; `timeout` is that of a page."""
        call = customers.list_freeze_events(customer_id, partner_id, after_revision, start_time, end_time, page_size)
        return self._items(call, timeout)

    async def get_partner(self, *, partner_id: str, timeout: float | None = None) -> models.Partner:
        """The partner, its contact masked. Raises NotFound."""
        return await self._answer(partners.get_partner(partner_id), timeout)

    async def update_partner(
        self,
        *,
        partner_id: str,
        verification_code_enabled: bool | None = None,
        verification_contact: str | None = None,
        verification_code: str = "",
        timeout: float | None = None,
    ) -> models.Partner:
        """Enables or disables verification codes for a partner, or changes where they are sent to; None: no change.

        Is tried once: after Unavailable or DeadlineExceeded it may have been done. Raises FailedPrecondition,
        PermissionDenied, ResourceExhausted; and ValueError if nothing is to be changed.
        """
        call = partners.update_partner(partner_id, verification_code_enabled, verification_contact, verification_code)
        return await self._answer(call, timeout)

    async def send_verification_code(
        self,
        *,
        partner_id: str,
        action: VerificationAction,
        customer_ids: Iterable[str] = (),
        scope: FreezeScope | None = None,
        timeout: float | None = 20.0,
    ) -> models.SentCode:
        """Mails a code to the partner's contact, good for one such action. A code before it is good for nothing.

        Is tried once, since each mail counts, and waits longer than other calls, as mail servers take their time.
        Raises NotFound, FailedPrecondition, ResourceExhausted, Unavailable.
        """
        return await self._answer(partners.send_verification_code(partner_id, action, customer_ids, scope), timeout)
