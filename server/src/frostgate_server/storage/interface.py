"""What frostgate asks of its storage. A store that keeps these promises can take SQLite's place.

Errors: every call may raise StorageUnavailable, and then has changed nothing. Only `run_transaction` may raise
OutcomeUnknown.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import SentCode
from frostgate_server.storage.queries import CountKind, CustomerFilter, EventFilter, RequestKey, StoredResponse

_Result = TypeVar("_Result")


class Transaction(Protocol):
    """A change in the making: sees all that was committed before, and nothing else. Of no use once it has ended."""

    def get_revision(self) -> int:
        """The revision of the last change, those of this transaction included; 0 where nothing ever changed."""

    def get_customer(self, customer_id: str) -> Customer | None:
        """The customer as it is now, or None if it is unknown."""

    def append_event(self, event: FreezeEvent, customer: Customer | None) -> None:
        """Makes a change: appends the event and puts the customer in the place of the one before; None removes it.

        The event's revision must be the present one + 1. The partner exists from its first customer on.
        """

    def get_partner(self, partner_id: str) -> Partner | None:
        """The partner, or None if it never had a customer and was never updated."""

    def save_partner(self, partner: Partner) -> None:
        """Puts the partner in the place of the one before, if there was one."""

    def get_code(self, partner_id: str) -> SentCode | None:
        """The last code that was sent to the partner, unless it was dropped."""

    def save_code(self, partner_id: str, code: SentCode) -> None:
        """Puts the code in the place of the partner's code before, if there was one."""

    def delete_code(self, partner_id: str) -> None:
        """Drops the partner's code, if there is one."""

    def list_counts(self, whom: str, kind: CountKind, since: datetime) -> list[datetime]:
        """When what counts against somebody happened, later than `since` (UTC), in order: an hour back at most.

        `whom` is a partner, or a contact behind an @.
        """

    def add_count(self, whom: str, kind: CountKind, count_id: str, at: datetime) -> None:
        """Counts what happens at `at` (UTC), for an hour. The id is new."""

    def delete_count(self, whom: str, kind: CountKind, count_id: str) -> None:
        """Takes back what was counted under this id, if it is."""

    def append_audit_note(self, note: AuditNote) -> None:
        """Appends to the audit log. This moves no revision."""

    def get_response(self, key: RequestKey) -> StoredResponse | None:
        """What was remembered under this key, for at least 24 hours."""

    def save_response(self, key: RequestKey, answered: StoredResponse, at: datetime) -> None:
        """Remembers an answer for at least 24 hours from `at` (UTC). The key must be new."""


class Store(Protocol):
    """Customers, their events, and answers already given, in one order of revisions.

    Every read sees one committed state, in which every write that returned before the read began is contained.
    All methods may be called from any thread.
    """

    def get_freeze_state(self, customer_id: str) -> tuple[FreezeState | None, int]:
        """The customer's freeze state (None: unknown) and the revision of the state of the store that says so."""

    def get_freeze_states(self, customer_ids: list[str]) -> tuple[list[FreezeState | None], int]:
        """As `get_freeze_state`, for many customers at one revision, in the order asked. An id may be there twice."""

    def get_revision(self) -> int:
        """The revision of the last change; 0 where nothing ever changed."""

    def get_customer(self, customer_id: str) -> Customer | None:
        """The customer, or None if it is unknown."""

    def get_partner(self, partner_id: str) -> Partner | None:
        """The partner, or None if it never had a customer and was never updated."""

    def list_customers(self, wanted: CustomerFilter, after: str, limit: int) -> list[Customer]:
        """At most `limit` customers whose id comes after `after`, ordered by id."""

    def list_events(self, wanted: EventFilter, before: int | None, limit: int) -> list[FreezeEvent]:
        """At most `limit` events with revisions below `before` (None: from the newest), the newest first."""

    def run_transaction(self, work: Callable[[Transaction], _Result]) -> _Result:
        """Does `work` in one transaction, alone, and returns what it returned once all of it is on disk (fsync).

        If `work` raises, nothing has changed and the exception goes on to the caller. Raises OutcomeUnknown if it fails
        to make the change durable: the change may show, now or after the next start.
        """

    def close(self) -> None:
        """Lets go of the storage. Nothing may be called afterwards."""
