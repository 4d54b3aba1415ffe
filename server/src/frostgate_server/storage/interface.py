"""The storage interface. Another implementation that satisfies these contracts can replace SQLite.

Errors: every call may raise StorageUnavailable; then nothing has changed. Only transactions may raise OutcomeUnknown.
"""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol, TypeVar

from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import SentCode
from frostgate_server.storage.queries import CountKind, CustomerFilter, EventFilter, Page, RequestKey, StoredResponse

_Result = TypeVar("_Result")


class Transaction(Protocol):
    """The transaction of one change. It sees all earlier changes and its own, and cannot be used after its end."""

    def get_revision(self) -> int:
        """The revision of the last change, including changes of this transaction; 0 if nothing ever changed."""

    def get_customer(self, customer_id: str) -> Customer | None:
        """The current state of the customer, or None if it is unknown."""

    def append_event(self, event: FreezeEvent, customer: Customer | None) -> None:
        """Appends the event and saves the customer. None deletes the customer.

        The event's revision must be the current one + 1. The first customer of a partner also creates the partner.
        """

    def get_partner(self, partner_id: str) -> Partner | None:
        """The partner, or None if it never had a customer and was never updated."""

    def save_partner(self, partner: Partner) -> None:
        """Saves the partner. Replaces an earlier state of the partner."""

    def get_code(self, partner_id: str) -> SentCode | None:
        """The last code that was sent to the partner, or None if it was deleted or none was sent."""

    def save_code(self, partner_id: str, code: SentCode) -> None:
        """Saves the code. Replaces an earlier code of the partner."""

    def delete_code(self, partner_id: str) -> None:
        """Deletes the partner's code, if there is one."""

    def list_counts(self, whom: str, kind: CountKind, now: datetime) -> list[datetime]:
        """The times of this kind that were counted within the hour before `now` (UTC), in order.

        `whom` is a partner, or an @ followed by a contact. A time after `now` means that the clock was set back. If it
        is at most an hour ahead, it counts as `now` from then on, even if this transaction is rolled back. If it is
        further ahead, it does not count.
        """

    def add_count(self, whom: str, kind: CountKind, count_id: str, at: datetime) -> None:
        """Counts one at the time `at` (UTC), for an hour. The id must be new."""

    def delete_count(self, whom: str, kind: CountKind, count_id: str) -> None:
        """Deletes the count with this id, if there is one."""

    def delete_counts(self, whom: str) -> None:
        """Deletes all counts of this partner or contact."""

    def append_audit_note(self, note: AuditNote) -> None:
        """Appends a note to the audit log. The revision does not change."""

    def get_response(self, key: RequestKey, now: datetime) -> StoredResponse | None:
        """The answer that was saved under this key less than 24 hours before `now` (UTC), or None.

        A time after `now` means that the clock was set back. If it is at most 24 hours ahead, it counts as `now` from
        then on. If it is further ahead, the result is None.
        """

    def count_kept_bytes(self, principal: str, now: datetime) -> tuple[int, datetime]:
        """The approximate number of bytes of the answers that are kept for a principal at `now` (UTC).

        The time is when the oldest of these answers expire; `now` if there are none. Both are computed in whole hours.
        """

    def save_response(self, key: RequestKey, answered: StoredResponse, at: datetime) -> None:
        """Saves an answer for 24 hours from `at` (UTC). Call it only if `get_response` finds none for the key."""


class Store(Protocol):
    """Stores customers, their events, and answers to earlier requests. Revisions order all changes of customers.

    Every read sees one committed state, which contains every write that returned before the read began.
    All methods may be called from any thread.
    """

    def get_freeze_state(self, customer_id: str) -> tuple[FreezeState | None, int]:
        """The customer's freeze state (None: unknown customer), and the revision of the store at which it was read."""

    def get_freeze_states(self, customer_ids: list[str]) -> tuple[list[FreezeState | StorageUnavailable | None], int]:
        """As `get_freeze_state`, for several customers at one revision, in the given order. Ids may be repeated.

        A customer whose data is damaged has an error in its place. Other errors are raised.
        """

    def read_without_waiting(self) -> None:
        """From now on, reads of the calling thread raise StorageUnavailable instead of waiting for a lock."""

    def get_revision(self) -> int:
        """The revision of the last change; 0 if nothing ever changed."""

    def get_customer(self, customer_id: str) -> Customer | None:
        """The customer, or None if it is unknown."""

    def get_partner(self, partner_id: str) -> Partner | None:
        """The partner, or None if it never had a customer and was never updated."""

    def list_customers(
        self, wanted: CustomerFilter, after: str, limit: int, still_wanted: Callable[[], bool]
    ) -> Page[Customer, str]:
        """At most `limit` customers whose id comes after `after`, ordered by id.

        Reads a bounded number of rows. So a page may have fewer items, or none, before the end of the listing.
        Raises CallerCancelled if the read takes long and `still_wanted` returns False.
        """

    def list_events(
        self, wanted: EventFilter, before: int | None, limit: int, still_wanted: Callable[[], bool]
    ) -> Page[FreezeEvent, int]:
        """At most `limit` events with revisions below `before` (None: from the newest), the newest first.

        Limits the rows read, and stops an unwanted read, as `list_customers` does.
        """

    def submit_transaction(self, work: Callable[[Transaction], _Result]) -> Future[_Result]:
        """Queues `work`, which runs isolated in one transaction. Returns at once, and never raises.

        The future gets the result of `work` after all its changes are on disk (fsync). If `work` raises, nothing has
        changed, and the future gets the exception. If the store cannot make the change durable, the future gets
        OutcomeUnknown: the change may be visible, now or after the next start.

        Callbacks of the future run in the thread that runs all transactions. They must be short. They must not wait
        for another transaction, but they may submit one. Cancel the future before `work` begins to withdraw it.
        """

    def withdraw_overdue(self) -> None:
        """Withdraws the transactions that have waited 5 s without beginning: they never run.

        Their futures get StorageUnavailable, and their callbacks run in the calling thread. A transaction that has
        begun continues. Does not block. Must be called several times a second.
        """

    def ensure_writable(self) -> None:
        """Raises StorageUnavailable or OutcomeUnknown, with the reason, if changes fail now. Changes no data.

        After a failed transaction it makes a test write. It may take as long as a transaction. Only one thread may
        call it.
        """

    def run_transaction(self, work: Callable[[Transaction], _Result]) -> _Result:
        """Submits `work` and waits for its result, which it returns or raises.

        After 5 s it withdraws a transaction that has not begun, and raises StorageUnavailable. A callback of
        `submit_transaction` must not call it.
        """

    def close(self) -> None:
        """Closes the storage. No method may be called afterwards."""
