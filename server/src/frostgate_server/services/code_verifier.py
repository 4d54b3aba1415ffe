"""The gate that a change passes with a verification code. Knows no transport and no SQL.

A code is tried in two transactions. The first counts the try, as a failed one, and is on disk before anything is
compared: however many try at once, no more compare than a code has tries. The second spends the code, takes the failure
back and makes the change, or does nothing of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from math import ceil
from typing import Generic, TypeVar
from uuid import uuid4

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.clock import utc_now
from frostgate_server.domain.errors import FrostgateError, OutcomeUnknown, StorageUnavailable
from frostgate_server.domain.verification_code import WINDOW, CodeKey, CodeLimits, Purpose, SentCode, new_code
from frostgate_server.domain.verification_errors import (
    VerificationCodeInvalid,
    VerificationCodeRequired,
    VerificationRateLimited,
)
from frostgate_server.storage.interface import Store, Transaction
from frostgate_server.storage.queries import CountKind

_Answer = TypeVar("_Answer")

TRIES_OF_A_SENDING = 4
"""As many times more codes may be asked for as may be sent."""


@dataclass(frozen=True, slots=True)
class PlannedChange(Generic[_Answer]):
    """What is to be done in a transaction, and what a code must be good for; None: it needs no code."""

    purpose: Purpose | None
    carry_out: Callable[[], _Answer]


@dataclass(frozen=True, slots=True)
class CodeAttempt:
    """A try that is counted: of a code, for a purpose; `sent` is None where there is no code to compare with."""

    try_id: str
    purpose: Purpose
    sent: SentCode | None


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code, how it is kept, and the partner's code before, if there was one."""

    code: str = field(repr=False)
    sent: SentCode
    before: SentCode | None


class CodeVerifier:
    """Makes codes and lets changes pass that have the right one."""

    def __init__(self, store: Store, key: CodeKey, limits: CodeLimits, clock: Callable[[], datetime] = utc_now) -> None:
        """Takes the key under which codes are kept."""
        self._store = store
        self._key = key
        self._limits = limits
        self._clock = clock

    def write(self, caller: Caller, plan: Callable[[Transaction], PlannedChange[_Answer]], code: str) -> _Answer:
        """Carries a plan out in a transaction, once the code is found good for its purpose, if it has one.

        The plan is made anew for each transaction; what it raises changes nothing. Raises CallerCancelled if the
        caller no longer waits when the first one begins; VerificationCodeRequired, VerificationCodeInvalid,
        VerificationRateLimited.
        """

        def begin(transaction: Transaction) -> _Answer | CodeAttempt:
            caller.ensure_waits()
            planned = plan(transaction)
            return planned.carry_out() if planned.purpose is None else self._begin(transaction, planned.purpose, code)

        def finish(begun: CodeAttempt, transaction: Transaction) -> _Answer:
            planned = plan(transaction)
            if planned.purpose is not None:
                self._spend(transaction, planned.purpose, begun)
            self._forgive(transaction, begun)
            return planned.carry_out()

        begun = self._store.run_transaction(begin)
        if not isinstance(begun, CodeAttempt):
            return begun
        if begun.sent is None or not self._key.matches(begun.sent, begun.purpose, code):
            raise VerificationCodeInvalid(begun.purpose.partner_id)
        try:
            return self._store.run_transaction(partial(finish, begun))
        except (VerificationCodeInvalid, StorageUnavailable, OutcomeUnknown):
            raise
        except FrostgateError:
            # Refused for another reason since the try was begun: that spends no code.
            self._store.run_transaction(lambda transaction: self._give_back(transaction, begun))
            raise

    def make(self, transaction: Transaction, purpose: Purpose, contact: str) -> NewCode:
        """A new code, kept in the place of the partner's code before. Raises VerificationRateLimited.

        What is sent counts for the partner. What is tried to be sent counts too, for partner and contact: nobody's
        mailbox is flooded through many partners, and nobody's mail server by what it does not take.
        """
        partner_id, now = purpose.partner_id, self._clock()
        self._ensure_below(transaction, partner_id, CountKind.SENT, now, partner_id)
        for whom in (partner_id, f"@{contact.casefold()}"):
            self._ensure_below(transaction, whom, CountKind.TRIED, now, partner_id)
            transaction.add_count(whom, CountKind.TRIED, str(uuid4()), now)
        code, code_id = new_code(), str(uuid4())
        sent = SentCode(code_id, self._key.digest(code_id, purpose, code), now + self._limits.lifetime)
        before = transaction.get_code(partner_id)
        transaction.save_code(partner_id, sent)
        transaction.add_count(partner_id, CountKind.SENT, code_id, now)
        return NewCode(code, sent, before)

    def unmake(self, transaction: Transaction, partner_id: str, new: NewCode) -> None:
        """Takes back a code that could not be sent: it does not count, and the one before is good again."""
        transaction.delete_count(partner_id, CountKind.SENT, new.sent.code_id)
        if not _is_still(new.sent, transaction.get_code(partner_id)):
            return
        transaction.delete_code(partner_id)
        if new.before is not None:
            transaction.save_code(partner_id, new.before)

    def _begin(self, transaction: Transaction, purpose: Purpose, code: str) -> CodeAttempt:
        """Counts a try, as one that failed."""
        if not code:
            raise VerificationCodeRequired(partner_id=purpose.partner_id, action=purpose.action.name)
        now = self._clock()
        self._ensure_below(transaction, purpose.partner_id, CountKind.FAILED, now, purpose.partner_id)
        begun = CodeAttempt(str(uuid4()), purpose, transaction.get_code(purpose.partner_id))
        transaction.add_count(purpose.partner_id, CountKind.FAILED, begun.try_id, now)
        if begun.sent is None or not begun.sent.is_live(now, self._limits.tries):
            return replace(begun, sent=None)
        transaction.save_code(purpose.partner_id, replace(begun.sent, tries=begun.sent.tries + 1))
        return begun

    def _spend(self, transaction: Transaction, purpose: Purpose, begun: CodeAttempt) -> None:
        """Ends a code that was right. Raises VerificationCodeInvalid if it has been used, replaced or too old since."""
        present = transaction.get_code(purpose.partner_id)
        if (
            purpose != begun.purpose
            or present is None
            or not _is_still(begun.sent, present)
            or self._clock() >= present.expire_time
        ):
            raise VerificationCodeInvalid(purpose.partner_id)
        transaction.delete_code(purpose.partner_id)

    def _give_back(self, transaction: Transaction, begun: CodeAttempt) -> None:
        """Takes a try back that was right, and yet of no use."""
        self._forgive(transaction, begun)
        present = transaction.get_code(begun.purpose.partner_id)
        if present is not None and _is_still(begun.sent, present):
            transaction.save_code(begun.purpose.partner_id, replace(present, tries=present.tries - 1))

    def _forgive(self, transaction: Transaction, begun: CodeAttempt) -> None:
        """Takes back the failure that a try was counted as."""
        transaction.delete_count(begun.purpose.partner_id, CountKind.FAILED, begun.try_id)

    def _ensure_below(
        self, transaction: Transaction, whom: str, kind: CountKind, now: datetime, partner_id: str
    ) -> None:
        most, what = {
            CountKind.SENT: (self._limits.sendings, "sent"),
            CountKind.TRIED: (TRIES_OF_A_SENDING * self._limits.sendings, "asked for"),
            CountKind.FAILED: (self._limits.failures, "wrong"),
        }[kind]
        times = transaction.list_counts(whom, kind, now - WINDOW)
        if len(times) >= most:
            wait = times[-most] + WINDOW - now
            raise VerificationRateLimited(what, max(1, ceil(wait.total_seconds())), partner_id)


def _is_still(sent: SentCode | None, present: SentCode | None) -> bool:
    return sent is not None and present is not None and sent.code_id == present.code_id
