"""The asynchronous client: the same methods as frostgate.Client, to be awaited."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from . import models
from .aio_connection import Connection
from .enums import BillingMode, FreezeScope, FreezeState, Operation, VerificationAction
from .requests import customers, decisions, partners
from .requests.call import RequestId


class Client(Connection):
    """Makes calls to a server, from one event loop. Close it, or use it in an `async with`.

    Every call ends within its timeout, retries included. A call that fails with UNAVAILABLE is retried with growing
    pauses. A call that is refused with OVERLOADED is retried after the time that the server sets. Other failed calls
    are not retried. Each change of a customer has a request_id, so that a retry cannot make the change twice. The
    client makes one if none is given. `update_partner` and `send_verification_code` have no request_id and are sent
    only once. Every method raises FrostgateError if there is no answer: see frostgate.errors.
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
        """Decides on 1 to 1,000 operations, all from one state. The results are in the order of the checks."""
        return await self._answer(decisions.batch_check_operations(checks, minimum_revision), timeout)

    async def list_rules(self, *, timeout: float | None = None) -> models.Policy:
        """Returns the whole policy of this deployment."""
        return await self._answer(decisions.list_rules(), timeout)

    async def associate_customer(
        self, *, customer_id: str, partner_id: str, request_id: RequestId = None, timeout: float | None = None
    ) -> models.Association:
        """Associates a customer with a partner. Its account is frozen by default.

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
        """Ends the association of a customer.

        With `expected_revision` the change is made only if the customer has this revision. Raises NotFound,
        RevisionMismatch, OutcomeUnknown.
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
        """Freezes a customer, or extends the freeze from the account to its resources.

        `validate_only` returns the result and changes nothing. With `expected_revision` the change is made only if the
        customer has this revision. Raises NotFound, RevisionMismatch, FailedPrecondition, OutcomeUnknown.
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
        """Unfreezes a customer. `scope` must be the scope that is frozen.

        `validate_only` returns the result and changes nothing. With `expected_revision` the change is made only if the
        customer has this revision. Raises NotFound, RevisionMismatch, FailedPrecondition, OutcomeUnknown.
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
        """Freezes 1 to 1,000 customers. A refused customer has an error as its result.

        `validate_only` returns the results and changes nothing. Raises OutcomeUnknown.
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
        """Unfreezes 1 to 1,000 customers. A refused customer has an error as its result.

        `validate_only` returns the results and changes nothing. Raises OutcomeUnknown.
        """
        call = customers.batch_unfreeze_customers(
            customer_ids, scope, reason, verification_code, request_id, validate_only
        )
        return await self._answer(call, timeout)

    async def get_customer(self, *, customer_id: str, timeout: float | None = None) -> models.Customer:
        """Returns a customer. Raises NotFound."""
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
        """Iterates over a partner's customers by id. Reads page by page; `timeout` is for one page. Raises NotFound."""
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
        """Iterates over events, newest first. Reads page by page; `timeout` is for one page."""
        call = customers.list_freeze_events(customer_id, partner_id, after_revision, start_time, end_time, page_size)
        return self._items(call, timeout)

    async def get_partner(self, *, partner_id: str, timeout: float | None = None) -> models.Partner:
        """Returns a partner. Its contact is masked. Raises NotFound."""
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
        """Enables or disables verification codes for a partner, or changes their contact. None: no change.

        The call is sent only once. After Unavailable or DeadlineExceeded the change may have been made. Raises
        FailedPrecondition, PermissionDenied, ResourceExhausted, and ValueError if both settings are None.
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
        """Mails a code to the partner's contact. It is valid for one such action. Earlier codes become invalid.

        The call is sent only once, because the server limits the number of mails. Its default timeout is longer than
        that of other calls, because mail servers may be slow.
        Raises NotFound, FailedPrecondition, ResourceExhausted, Unavailable.
        """
        return await self._answer(partners.send_verification_code(partner_id, action, customer_ids, scope), timeout)
