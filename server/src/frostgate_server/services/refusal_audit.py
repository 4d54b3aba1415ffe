"""Refusals that the audit log is to keep: of callers that are known, and no faster than the disk can bear.

They are written by a thread of its own, so that nobody waits for it, and so that a refusal never costs what a change
costs. A caller who is refused over and over gets an entry now and then, which tells how many were left out.
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
"""What is no mistake of a caller, but more than they may."""

AT_ONCE = 10
"""Refusals of one caller for one reason that get an entry each, one right after the other."""

PERIOD = 60.0
"""Seconds until one more gets an entry."""


@dataclass(slots=True)
class _Allowance:
    """How many entries a caller may still have for one reason, as of some moment, and what was left out since the last
    one."""

    entries: float
    moment: float
    omitted: int = 0
    last_omitted: AuditNote | None = None

    def taken(self, now: float) -> bool:
        """Takes one entry, if there is one."""
        self.entries = min(AT_ONCE, self.entries + (now - self.moment) / PERIOD)
        self.moment = now
        if self.entries < 1:
            return False
        self.entries -= 1
        return True


class RefusalAudit:
    """Takes refusals from any thread. Closed, it has written all that it took."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime] = utc_now, moments: Callable[[], float] = monotonic
    ) -> None:
        """Writes to the store's audit log. `moments` tells seconds that never go back."""
        self._store = store
        self._clock = clock
        self._moments = moments
        self._lock = threading.Lock()
        self._allowances: dict[tuple[str, str], _Allowance] = {}
        self._to_write: SimpleQueue[AuditNote | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="refusals", daemon=True)
        self._thread.start()

    def record(self, principal: str, method: str, error: FrostgateError, more: int = 0) -> None:
        """Takes note of a call that was refused, and of `more` items of it that were refused likewise.

        A MethodNotPermitted carries the principal itself: authentication raised it, so no caller is known here.
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
        """Writes what is left, and what was left out of it too."""
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
            _log.error("%s, could not be written to the audit log: %s", what, error)

    def _catch_up(self, *, at_any_rate: bool) -> None:
        """Callers who went away get an entry for what was left out of them."""
        with self._lock:
            now = self._moments()
            for allowance in self._allowances.values():
                note = allowance.last_omitted
                if note is not None and (allowance.taken(now) or at_any_rate):
                    self._to_write.put(replace(note, omitted=allowance.omitted - 1))
                    allowance.omitted, allowance.last_omitted = 0, None
