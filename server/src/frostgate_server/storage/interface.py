"""What frostgate asks of its storage. A store that keeps these promises can take SQLite's place.

Errors: every call may raise StorageUnavailable, and then has changed nothing. Only transactions may end with
OutcomeUnknown.
"""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol, TypeVar

from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import SentCode
from frostgate_server.storage.queries import CountKind, CustomerFilter, EventFilter, Page, RequestKey, StoredResponse

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

    def list_counts(self, whom: str, kind: CountKind, now: datetime) -> list[datetime]:
        """When what counts against somebody happened, within the hour before `now` (UTC), in order.

        `whom` is a partner, or a contact behind an @. A time after `now` comes from a clock that was put right since.
        Less than an hour ahead it counts as `now` from then on, also if this transaction is undone. Further ahead it
        does not count.
        """

    def add_count(self, whom: str, kind: CountKind, count_id: str, at: datetime) -> None:
        """Counts what happens at `at` (UTC), for an hour. The id is new."""

    def delete_count(self, whom: str, kind: CountKind, count_id: str) -> None:
        """Takes back what was counted under this id, if it is."""

    def delete_counts(self, whom: str) -> None:
        """Takes back all that was counted against somebody."""

    def append_audit_note(self, note: AuditNote) -> None:
        """Appends to the audit log. This moves no revision."""

    def get_response(self, key: RequestKey, now: datetime) -> StoredResponse | None:
        """What was saved under this key less than 24 hours before `now` (UTC), or None.

        A time after `now` comes from a clock that was put right since. Less than 24 hours ahead it counts as `now` from
        then on. Further ahead there is no answer.
        """

    def count_kept_bytes(self, principal: str, now: datetime) -> tuple[int, datetime]:
        """About how many bytes the answers take that are kept for a principal at `now` (UTC).

        The time is the one at which the oldest of them expire; `now` where there are none. Both go by whole hours.
        """

    def save_response(self, key: RequestKey, answered: StoredResponse, at: datetime) -> None:
        """Saves an answer for 24 hours from `at` (UTC). There must be none that `get_response` finds then."""


class Store(Protocol):
    """Customers, their events, and answers already given, in one order of revisions.

    Every read sees one committed state, in which every write that returned before the read began is contained.
    All methods may be called from any thread.
    """

    def get_freeze_state(self, customer_id: str) -> tuple[FreezeState | None, int]:
        """The customer's freeze state (None: unknown) and the revision of the state of the store that says so."""

    def get_freeze_states(self, customer_ids: list[str]) -> tuple[list[FreezeState | None], int]:
        """As `get_freeze_state`, for many customers at one revision, in the order asked. An id may be there twice."""

    def read_without_waiting(self) -> None:
        """Reads of the calling thread raise StorageUnavailable from now on where they would wait for a lock."""

    def get_revision(self) -> int:
        """The revision of the last change; 0 where nothing ever changed."""

    def get_customer(self, customer_id: str) -> Customer | None:
        """The customer, or None if it is unknown."""

    def get_partner(self, partner_id: str) -> Partner | None:
        """The partner, or None if it never had a customer and was never updated."""

    def list_customers(
        self, wanted: CustomerFilter, after: str, limit: int, still_wanted: Callable[[], bool]
    ) -> Page[Customer, str]:
        """At most `limit` customers whose id comes after `after`, ordered by id.

        Looks at a bounded number of rows: the page may have fewer items, and even none, and the listing go on.
        Raises CallerCancelled if it takes long and is not `still_wanted`.
        """

    def list_events(
        self, wanted: EventFilter, before: int | None, limit: int, still_wanted: Callable[[], bool]
    ) -> Page[FreezeEvent, int]:
        """At most `limit` events with revisions below `before` (None: from the newest), the newest first.

        The page is bounded, and the read is stopped, as in `list_customers`.
        """

    def submit_transaction(self, work: Callable[[Transaction], _Result]) -> Future[_Result]:
        """Queues `work`, which is done in one transaction, alone. Returns at once, and never raises.

        The future gets the result of `work` once all of it is on disk (fsync). If `work` raises, nothing has changed
        and the future gets the exception. It gets OutcomeUnknown if the store fails to make the change durable: the
        change may show, now or after the next start.

        Callbacks of the future run in the thread that makes all transactions. They must be short, and must not wait
        for another transaction; they may submit one. A future that is cancelled before `work` begins withdraws it.
        """

    def withdraw_overdue(self) -> None:
        """Withdraws the transactions that have waited 5 s for their turn: they are never made.

        Their futures get StorageUnavailable, and their callbacks run in the calling thread. A transaction that has
        begun is left alone. Does not block, and is to be called several times a second.
        """

    def ensure_writable(self) -> None:
        """Raises StorageUnavailable or OutcomeUnknown if no change can be made now, and says why; changes nothing.

        After a transaction that failed, it writes, to find out. It may take as long as a transaction, and is to be
        called by one thread.
        """

    def run_transaction(self, work: Callable[[Transaction], _Result]) -> _Result:
        """Submits `work` and waits for its result, which it returns or raises.

        After 5 s it withdraws a transaction that has not begun, and raises StorageUnavailable. Not to be called by a
        callback of `submit_transaction`.
        """

    def close(self) -> None:
        """Lets go of the storage. Nothing may be called afterwards."""
