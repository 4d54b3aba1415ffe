"""The asynchronous client: the same methods as frostgate.Client, to be awaited."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from itertools import count
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from . import models
from .enums import BillingMode, FreezeScope, FreezeState, Operation, VerificationAction
from .errors import error_of_call
from .requests import customers, decisions, partners
from .requests.call import Call, RequestId
from .retry_policy import CHANNEL_OPTIONS, Attempts, check_timeout

_Answer = TypeVar("_Answer")


class Client:
    """Calls a frostgate, from one event loop. Close it, or use it in an `async with`.

    Every call ends within its timeout, retries included: what fails with UNAVAILABLE is tried again, with growing
    pauses, and nothing else is. Changes of customers carry a request_id, made here if none is given, so that a retry
    cannot act twice; `update_partner` and `send_verification_code` have none, and are tried once. Every method raises
    FrostgateError where there is no answer; see frostgate.errors.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout: float = 5.0,
        channels: int = 1,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Connects with the first call. To be made where the event loop runs.

        Args:
            target: "host:port", "unix:/path", or any other name that gRPC understands.
            credentials: for TLS, client certificates and tokens; plaintext without. See docs/callers.md.
            timeout: seconds that a call may take, unless it says otherwise.
            channels: connections, used in turn, so that load spreads over the processes of a server.
            options: of gRPC's channels, over those set here.
        """
        if channels < 1:
            raise ValueError(f"channels must be at least 1, is {channels}")
        self._timeout = check_timeout(timeout)
        all_options = [*CHANNEL_OPTIONS, *options]
        self._channels = [
            grpc.aio.insecure_channel(target, all_options)
            if credentials is None
            else grpc.aio.secure_channel(target, credentials, all_options)
            for _ in range(channels)
        ]
        self._turns = count()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections; calls under way end with CANCELLED."""
        for channel in self._channels:
            await channel.close(None)

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
        timeout: float | None = None,
    ) -> models.Disassociation:
        """Ends the association of a customer. Raises NotFound, OutcomeUnknown."""
        call = customers.disassociate_customer(customer_id, reason, verification_code, request_id)
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
        timeout: float | None = None,
    ) -> models.FreezeResult:
        """Freezes a customer, or freezes it further. Raises NotFound, FailedPrecondition, OutcomeUnknown."""
        call = customers.freeze_customer(customer_id, scope, reason, verification_code, request_id, validate_only)
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
        timeout: float | None = None,
    ) -> models.FreezeResult:
        """Unfreezes a customer, by the scope it is frozen with. Raises NotFound, FailedPrecondition, OutcomeUnknown."""
        call = customers.unfreeze_customer(customer_id, scope, reason, verification_code, request_id, validate_only)
        return await self._answer(call, timeout)

    async def batch_freeze_customers(
        self,
        customer_ids: Iterable[str],
        *,
        scope: FreezeScope,
        reason: str,
        verification_code: str = "",
        request_id: RequestId = None,
        timeout: float | None = None,
    ) -> models.BatchFreezeResult:
        """Freezes 1 to 1,000 customers; what is refused is that customer's result. Raises OutcomeUnknown."""
        call = customers.batch_freeze_customers(customer_ids, scope, reason, verification_code, request_id)
        return await self._answer(call, timeout)

    async def batch_unfreeze_customers(
        self,
        customer_ids: Iterable[str],
        *,
        scope: FreezeScope,
        reason: str,
        verification_code: str = "",
        request_id: RequestId = None,
        timeout: float | None = None,
    ) -> models.BatchFreezeResult:
        """Unfreezes 1 to 1,000 customers; what is refused is that customer's result. Raises OutcomeUnknown."""
        call = customers.batch_unfreeze_customers(customer_ids, scope, reason, verification_code, request_id)
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

    async def _items(self, call: Call[tuple[list[_Answer], str]], timeout: float | None) -> AsyncIterator[_Answer]:
        items, token = await self._answer(call, timeout)
        for item in items:
            yield item
        while token:
            items, token = await self._answer(call.page(token), timeout)
            for item in items:
                yield item

    async def _answer(self, call: Call[_Answer], timeout: float | None) -> _Answer:
        """Makes the call until it is answered, refused, or out of time."""
        tries = Attempts(self._timeout if timeout is None else timeout, once=call.once)
        while True:
            channel = self._channels[next(self._turns) % len(self._channels)]
            method = channel.unary_unary(call.path, _serialized, call.response_class.FromString)
            try:
                return call.read(await method(call.request, timeout=tries.time_left()))
            except grpc.aio.AioRpcError as failure:
                pause = tries.pause_after(error_of_call(failure, call.request_id))
            await asyncio.sleep(pause)


def _serialized(request: Any) -> bytes:
    serialized: bytes = request.SerializeToString()
    return serialized
