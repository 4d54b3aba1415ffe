"""The use cases of the partner center: what a call does, in the contract's order. Knows no transport and no SQL.

Order of checks: shape (before it comes here) → replay → existence → transition.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from . import freezing, paging
from .answers import BatchChanged, Changed, read_batch, read_changed, written
from .caller import Caller
from .errors import (
    AlreadyFrozen,
    CallerGone,
    CustomerNotFound,
    NotFrozen,
    PartnerNotFound,
    RequestIdReused,
    ScopeMismatch,
)
from .freezing import Customer, FreezeEvent, Moment
from .store import Answered, CustomerFilter, EventFilter, RequestKey, Store, Transaction
from .vocabulary import FreezeEventAction, FreezeScope, FreezeState

_Answer = TypeVar("_Answer", Changed, BatchChanged)


def utc_now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Change:
    """A change that somebody asks for, and the transition that makes it: (customer_id, before, at) → after."""

    caller: Caller
    action: FreezeEventAction
    scope: FreezeScope | None
    reason: str
    request_id: str
    transition: Callable[[str, Customer | None, Moment], Customer | None]

    def make(self, transaction: Transaction, customer_id: str, time: datetime) -> Changed:
        """Makes the change of one customer. Raises what the transition raises, and then has changed nothing."""
        before = transaction.customer(customer_id)
        at = Moment(transaction.revision() + 1, time)
        after = self.transition(customer_id, before, at)
        transaction.record(self._event(customer_id, before, after, at), after)
        return Changed(after, at.revision)

    def _event(self, customer_id: str, before: Customer | None, after: Customer | None, at: Moment) -> FreezeEvent:
        either = after or before
        assert either is not None, "a transition begins or ends with a customer"
        return FreezeEvent(
            revision=at.revision,
            customer_id=customer_id,
            partner_id=either.partner_id,
            action=self.action,
            scope=self.scope,
            state_before=None if before is None else before.freeze_state,
            state_after=None if after is None else after.freeze_state,
            reason=self.reason,
            actor=self.caller.principal,
            request_id=self.request_id,
            event_time=at.time,
            retention_expire_time=None if after is None else after.retention_expire_time,
        )


class FreezeService:
    """Changes customers, and tells what happened to them.

    Every change may raise RequestIdReused, and CallerGone if nobody waits any more when its turn comes; it has changed
    nothing then. An empty request_id stands for none.
    """

    def __init__(self, store: Store, retention_period: timedelta, clock: Callable[[], datetime] = utc_now) -> None:
        """Resources frozen from now on are retained for `retention_period`."""
        self._store = store
        self._retention_period = retention_period
        self._clock = clock

    def associate(self, caller: Caller, customer_id: str, partner_id: str, request_id: str) -> Changed:
        """Associates a customer with a partner: frozen by default. Raises CustomerAlreadyAssociated."""

        def associated(customer_id: str, before: Customer | None, at: Moment) -> Customer:
            return freezing.associate(customer_id, before, partner_id, at)

        change = _Change(
            caller, FreezeEventAction.ASSOCIATED, None, freezing.ASSOCIATION_REASON, request_id, associated
        )
        return self._one(change, "associate", customer_id, partner_id)

    def disassociate(self, caller: Caller, customer_id: str, reason: str, request_id: str) -> Changed:
        """Makes a customer unknown, from any state. Raises CustomerNotFound."""

        def disassociated(customer_id: str, before: Customer | None, _: Moment) -> None:
            freezing.disassociate(customer_id, before)

        change = _Change(caller, FreezeEventAction.DISASSOCIATED, None, reason, request_id, disassociated)
        return self._one(change, "disassociate", customer_id)

    def freeze(
        self, caller: Caller, customer_id: str, scope: FreezeScope, reason: str, request_id: str, *, validate_only: bool
    ) -> Changed:
        """Freezes a customer, or freezes it further. Raises CustomerNotFound, AlreadyFrozen."""
        change = self._freezing(caller, scope, reason, request_id)
        return self._foreseen(change, customer_id) if validate_only else self._one(change, "freeze", customer_id)

    def unfreeze(
        self, caller: Caller, customer_id: str, scope: FreezeScope, reason: str, request_id: str, *, validate_only: bool
    ) -> Changed:
        """Unfreezes a customer. Raises CustomerNotFound, NotFrozen, ScopeMismatch."""
        change = self._unfreezing(caller, scope, reason, request_id)
        return self._foreseen(change, customer_id) if validate_only else self._one(change, "unfreeze", customer_id)

    def batch_freeze(
        self, caller: Caller, customer_ids: list[str], scope: FreezeScope, reason: str, request_id: str
    ) -> BatchChanged:
        """Freezes customers in one transaction; a refused one is its result."""
        return self._many(self._freezing(caller, scope, reason, request_id), "batch_freeze", customer_ids)

    def batch_unfreeze(
        self, caller: Caller, customer_ids: list[str], scope: FreezeScope, reason: str, request_id: str
    ) -> BatchChanged:
        """Unfreezes customers in one transaction; a refused one is its result."""
        return self._many(self._unfreezing(caller, scope, reason, request_id), "batch_unfreeze", customer_ids)

    def customer(self, customer_id: str) -> Customer:
        """The customer. Raises CustomerNotFound."""
        customer = self._store.customer(customer_id)
        if customer is None:
            raise CustomerNotFound(customer_id=customer_id)
        return customer

    def customers(
        self,
        partner_id: str,
        freeze_state: FreezeState | None,
        retention_expired: bool | None,
        page_size: int,
        page_token: str,
    ) -> tuple[list[Customer], str]:
        """A page of a partner's customers by id, and the next one's token. Raises PartnerNotFound, PageTokenInvalid."""
        filters = (partner_id, freeze_state, retention_expired)
        last = paging.after(page_token, filters, str)
        if not self._store.partner_exists(partner_id):
            raise PartnerNotFound(partner_id=partner_id)
        wanted = CustomerFilter(partner_id, self._clock(), freeze_state, retention_expired)
        found = self._store.customers(wanted, last or "", page_size + 1)
        page = found[:page_size]
        return page, paging.token(filters, page[-1].customer_id) if len(found) > page_size else ""

    def events(self, wanted: EventFilter, page_size: int, page_token: str) -> tuple[list[FreezeEvent], str]:
        """A page of events, the newest first, and the token of the next page. Raises PageTokenInvalid."""
        found = self._store.events(wanted, paging.after(page_token, wanted, int), page_size + 1)
        page = found[:page_size]
        return page, paging.token(wanted, page[-1].revision) if len(found) > page_size else ""

    def _freezing(self, caller: Caller, scope: FreezeScope, reason: str, request_id: str) -> _Change:
        def frozen(customer_id: str, before: Customer | None, at: Moment) -> Customer:
            return freezing.freeze(customer_id, before, scope, reason, self._retention_period, at)

        return _Change(caller, FreezeEventAction.FROZEN, scope, reason, request_id, frozen)

    def _unfreezing(self, caller: Caller, scope: FreezeScope, reason: str, request_id: str) -> _Change:
        def unfrozen(customer_id: str, before: Customer | None, at: Moment) -> Customer:
            return freezing.unfreeze(customer_id, before, scope, at)

        return _Change(caller, FreezeEventAction.UNFROZEN, scope, reason, request_id, unfrozen)

    def _foreseen(self, change: _Change, customer_id: str) -> Changed:
        """What a change would do: nothing is changed, kept or replayed."""
        at = Moment(self._store.revision(), self._clock())
        return Changed(change.transition(customer_id, self._store.customer(customer_id), at), at.revision)

    def _one(self, change: _Change, method: str, customer_id: str, *more_content: str) -> Changed:
        def work(transaction: Transaction) -> Changed:
            return change.make(transaction, customer_id, self._clock())

        content = [customer_id, change.scope, change.reason, *more_content]
        return self._once(change, method, content, work, read_changed)

    def _many(self, change: _Change, method: str, customer_ids: list[str]) -> BatchChanged:
        def work(transaction: Transaction) -> BatchChanged:
            time = self._clock()
            results = tuple((customer_id, _result(transaction, customer_id, time)) for customer_id in customer_ids)
            return BatchChanged(results, transaction.revision())

        def _result(
            transaction: Transaction, customer_id: str, time: datetime
        ) -> Customer | CustomerNotFound | AlreadyFrozen | NotFrozen | ScopeMismatch:
            try:
                customer = change.make(transaction, customer_id, time).customer
            except (CustomerNotFound, AlreadyFrozen, NotFrozen, ScopeMismatch) as refusal:
                return refusal
            assert customer is not None, "freezing and unfreezing leave a customer"
            return customer

        return self._once(change, method, [customer_ids, change.scope, change.reason], work, read_batch)

    def _once(
        self,
        change: _Change,
        method: str,
        content: Sequence[object],
        work: Callable[[Transaction], _Answer],
        read: Callable[[str], _Answer],
    ) -> _Answer:
        """Does the work, or gives the first answer again if this request was answered before."""
        key = RequestKey(change.caller.principal, method, change.request_id)
        fingerprint = hashlib.sha256(json.dumps(content).encode()).hexdigest()

        def work_once(transaction: Transaction) -> _Answer:
            if not change.caller.waits():
                raise CallerGone
            if not key.request_id:
                return work(transaction)
            earlier = transaction.answered(key)
            if earlier is None:
                answer = work(transaction)
                transaction.remember(key, Answered(fingerprint, written(answer)), self._clock())
                return answer
            if earlier.fingerprint != fingerprint:
                raise RequestIdReused(request_id=key.request_id)
            return read(earlier.answer)

        return self._store.write(work_once)
