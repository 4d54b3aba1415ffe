"""Records refused calls of known callers for the audit log, at a limited rate.

A separate thread writes them, so that no call waits and a refusal costs less than a change. A caller who is refused
repeatedly gets an entry from time to time. It has the number of refusals that were left out.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from queue import Empty, SimpleQueue
from time import monotonic

from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.clock import utc_now
from frostgate_server.domain.errors import FrostgateError, MethodNotPermitted, PermissionDenied
from frostgate_server.domain.verification_errors import VerificationRateLimited
from frostgate_server.storage.interface import Store

_log = logging.getLogger(__name__)

KEPT = (PermissionDenied, VerificationRateLimited)
"""The errors that are recorded: the caller exceeds its permissions or limits."""

AT_ONCE = 10
"""The number of refusals of one caller for one reason that get an entry each without a wait."""

PERIOD = 60.0
"""Seconds until one more refusal gets an entry."""


@dataclass(slots=True)
class _Allowance:
    """The entries that a caller may still have for one reason, as of `moment`, and the refusals that were left out
    since the last entry."""

    entries: float
    moment: float
    omitted: int = 0
    last_omitted: AuditNote | None = None

    def taken(self, now: float) -> bool:
        """Takes one entry from the allowance. Returns False if there is none."""
        self.entries = min(AT_ONCE, self.entries + (now - self.moment) / PERIOD)
        self.moment = now
        if self.entries < 1:
            return False
        self.entries -= 1
        return True


class RefusalAudit:
    """Records refusals from any thread. `close` writes all that are left."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime] = utc_now, moments: Callable[[], float] = monotonic
    ) -> None:
        """Writes to the store's audit log. `moments` is a monotonic clock in seconds."""
        self._store = store
        self._clock = clock
        self._moments = moments
        self._lock = threading.Lock()
        self._allowances: dict[tuple[str, str], _Allowance] = {}
        self._to_write: SimpleQueue[AuditNote | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="refusals", daemon=True)
        self._thread.start()

    def record(self, principal: str, method: str, error: FrostgateError, more: int = 0) -> None:
        """Records a call that was refused, and `more` further items of it that were refused for the same reason.

        The principal of a MethodNotPermitted is in the error: authentication raised it, so there is no caller yet.
        """
        if isinstance(error, MethodNotPermitted):
            if not error.known:
                return
            principal = error.variables["principal"]
        if not isinstance(error, KEPT):
            return
        note = AuditNote(principal, method, error.reason, error.subject, self._clock(), omitted=more)
        with self._lock:
            now = self._moments()
            allowance = self._allowances.setdefault((principal, error.reason), _Allowance(AT_ONCE, now))
            if not allowance.taken(now):
                allowance.omitted += 1 + more
                allowance.last_omitted = note
                return
            self._to_write.put(replace(note, omitted=more + allowance.omitted))
            allowance.omitted, allowance.last_omitted = 0, None

    def close(self) -> None:
        """Writes the waiting entries, and an entry for each caller with refusals that were left out."""
        self._catch_up(at_any_rate=True)
        self._to_write.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        due = monotonic() + PERIOD
        while True:
            with suppress(Empty):
                note = self._to_write.get(timeout=max(0.0, due - monotonic()))
                if note is None:
                    return
                self._write(note)
            if monotonic() >= due:
                self._catch_up(at_any_rate=False)
                due = monotonic() + PERIOD

    def _write(self, note: AuditNote) -> None:
        try:
            self._store.run_transaction(lambda transaction: transaction.append_audit_note(note))
        except FrostgateError as error:
            what = f"{note.method} of {note.principal}, refused with {note.reason}"
            _log.error("%s, was not written to the audit log: %s", what, error)

    def _catch_up(self, *, at_any_rate: bool) -> None:
        """Writes an entry for each caller with refusals that were left out and no later entry."""
        with self._lock:
            now = self._moments()
            for allowance in self._allowances.values():
                note = allowance.last_omitted
                if note is not None and (allowance.taken(now) or at_any_rate):
                    self._to_write.put(replace(note, omitted=allowance.omitted - 1))
                    allowance.omitted, allowance.last_omitted = 0, None
