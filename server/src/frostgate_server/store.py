"""What frostgate asks of its storage. A store that keeps these promises can take SQLite's place.

Errors: every call may raise StorageUnavailable, and then has changed nothing. Only `write` may raise OutcomeUnknown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from .freezing import Customer, FreezeEvent
from .vocabulary import FreezeState

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Names a change by who asked for it, with which method and under which id."""

    principal: str
    method: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A change that was answered OK: a hash of what was asked, and the answer, as the service wrote it."""

    fingerprint: str
    answer: str


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """Which customers of a partner. `retention_expired` is asked at `now` (UTC): at its very end it is expired."""

    partner_id: str
    now: datetime
    freeze_state: FreezeState | None = None
    retention_expired: bool | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events. Times are UTC; the start is included, the end is not."""

    customer_id: str | None = None
    partner_id: str | None = None
    after_revision: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


class Transaction(Protocol):
    """A change in the making: sees all that was committed before, and nothing else. Of no use once it has ended."""

    def revision(self) -> int:
        """The revision of the last change, those of this transaction included; 0 where nothing ever changed."""

    def customer(self, customer_id: str) -> Customer | None:
        """The customer as it is now, or None if it is unknown."""

    def record(self, event: FreezeEvent, customer: Customer | None) -> None:
        """Makes a change: appends the event and puts the customer in the place of the one before; None removes it.

        The event's revision must be the present one + 1. The partner exists from its first customer on.
        """

    def answered(self, key: RequestKey) -> Answered | None:
        """What was remembered under this key, for at least 24 hours."""

    def remember(self, key: RequestKey, answered: Answered, at: datetime) -> None:
        """Remembers an answer for at least 24 hours from `at` (UTC). The key must be new."""


class Store(Protocol):
    """Customers, their events, and answers already given, in one order of revisions.

    Every read sees one committed state, in which every write that returned before the read began is contained.
    All methods may be called from any thread.
    """

    def state(self, customer_id: str) -> tuple[FreezeState | None, int]:
        """The customer's freeze state (None: unknown) and the revision of the state of the store that says so."""

    def states(self, customer_ids: list[str]) -> tuple[list[FreezeState | None], int]:
        """As `state`, for many customers at one revision, in the order asked. An id may stand there twice."""

    def revision(self) -> int:
        """The revision of the last change; 0 where nothing ever changed."""

    def customer(self, customer_id: str) -> Customer | None:
        """The customer, or None if it is unknown."""

    def partner_exists(self, partner_id: str) -> bool:
        """Whether a customer was ever associated with this partner."""

    def customers(self, wanted: CustomerFilter, after: str, limit: int) -> list[Customer]:
        """At most `limit` customers whose id comes after `after`, ordered by id."""

    def events(self, wanted: EventFilter, before: int | None, limit: int) -> list[FreezeEvent]:
        """At most `limit` events with revisions below `before` (None: from the newest), the newest first."""

    def write(self, work: Callable[[Transaction], _Result]) -> _Result:
        """Does `work` in one transaction, alone, and returns what it returned once all of it is on disk (fsync).

        If `work` raises, nothing has changed and the exception goes on to the caller. Raises OutcomeUnknown if it fails
        to make the change durable: the change may show, now or after the next start.
        """

    def close(self) -> None:
        """Lets go of the storage. Nothing may be called afterwards."""
