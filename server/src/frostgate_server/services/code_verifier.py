"""Verification codes: makes codes, and permits a change that has a valid code.

An attempt takes two transactions. The first counts the attempt as failed. It is on disk before the code is compared, so
the number of concurrent comparisons never exceeds the tries of a code. The second removes the failure, spends the code
and makes the change, or does none of these.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from math import ceil
from typing import Protocol, TypeVar, cast
from uuid import uuid4

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

from .futures import then

_Result = TypeVar("_Result")
_Result_co = TypeVar("_Result_co", covariant=True)

TRIES_OF_A_SENDING = 4
"""The limit of codes that are asked for, as a multiple of the limit of codes that are sent."""

_KEEPS_THE_TRY = (VerificationCodeInvalid, StorageUnavailable, OutcomeUnknown)
"""After these errors of the second transaction the try still counts as failed."""


@dataclass(frozen=True, slots=True)
class CodeAttempt:
    """A counted try of a code for a purpose. `sent` is None if there is no code to compare with."""

    try_id: str
    purpose: Purpose
    sent: SentCode | None


@dataclass(frozen=True, slots=True)
class NewCode:
    """A new code, its stored form, and the partner's previous code, if there was one."""

    code: str = field(repr=False)
    sent: SentCode
    before: SentCode | None


class ProtectedWork(Protocol[_Result_co]):
    """Work that may need a code. Without an attempt it begins one if it needs a code. With one it spends the code."""

    def __call__(self, transaction: Transaction, *, attempt: CodeAttempt | None) -> "_Result_co | CodeAttempt":
        """Returns the attempt that it began, or the result."""


class CodeVerifier:
    """Makes codes, and permits changes that have a valid code."""

    def __init__(self, store: Store, key: CodeKey, limits: CodeLimits, clock: Callable[[], datetime] = utc_now) -> None:
        """`key` is the key of the digests of codes."""
        self._store = store
        self._key = key
        self._limits = limits
        self._clock = clock

    def run(self, work: ProtectedWork[_Result], code: str) -> Future[_Result]:
        """Runs `work` in a transaction. If it returns an attempt, runs it a second time with that attempt.

        No thread waits. The future fails with the exceptions of `work`, and with VerificationCodeInvalid for a wrong
        code.
        """
        first = self._store.submit_transaction(partial(work, attempt=None))
        return then(first, self._finish, work, code)

    def ensure_given(self, purpose: Purpose | None, code: str) -> None:
        """Raises VerificationCodeRequired if a code is needed and none is given."""
        if purpose is not None and not code:
            raise VerificationCodeRequired(partner_id=purpose.partner_id, action=purpose.action.name)

    def begin_attempt(self, transaction: Transaction, purpose: Purpose, code: str) -> CodeAttempt:
        """Counts a try as failed. Raises VerificationCodeRequired, VerificationRateLimited."""
        self.ensure_given(purpose, code)
        now = self._clock()
        self._ensure_below(transaction, [(purpose.partner_id, CountKind.FAILED)], now, purpose.partner_id)
        attempt = CodeAttempt(str(uuid4()), purpose, transaction.get_code(purpose.partner_id))
        transaction.add_count(purpose.partner_id, CountKind.FAILED, attempt.try_id, now)
        if attempt.sent is None or not attempt.sent.is_live(now, self._limits):
            return replace(attempt, sent=None)
        transaction.save_code(purpose.partner_id, replace(attempt.sent, tries=attempt.sent.tries + 1))
        return attempt

    def spend(self, transaction: Transaction, purpose: Purpose, attempt: CodeAttempt) -> None:
        """Deletes a code that was right. Raises VerificationCodeInvalid if it was used, replaced or expired since."""
        present = transaction.get_code(purpose.partner_id)
        if (
            purpose != attempt.purpose
            or present is None
            or not _is_still(attempt.sent, present)
            or not present.is_in_time(self._clock(), self._limits)
        ):
            raise VerificationCodeInvalid(purpose.partner_id)
        transaction.delete_code(purpose.partner_id)

    def make(self, transaction: Transaction, purpose: Purpose, contact: str) -> NewCode:
        """Makes a code that replaces the partner's previous code. Raises VerificationRateLimited.

        Each code that is sent counts for the partner. Each code that is asked for counts for the partner and for the
        contact. So many partners cannot flood one mailbox, and mails that are refused cannot flood a mail server.
        """
        partner_id, now = purpose.partner_id, self._clock()
        tried = [(whom, CountKind.TRIED) for whom in counted_as(partner_id, contact)]
        self._ensure_below(transaction, [(partner_id, CountKind.SENT), *tried], now, partner_id)
        for whom, kind in tried:
            transaction.add_count(whom, kind, str(uuid4()), now)
        code, code_id = new_code(), str(uuid4())
        sent = SentCode(code_id, self._key.digest(code_id, purpose, code), now + self._limits.lifetime)
        before = transaction.get_code(partner_id)
        transaction.save_code(partner_id, sent)
        transaction.add_count(partner_id, CountKind.SENT, code_id, now)
        return NewCode(code, sent, before)

    def unmake(self, transaction: Transaction, partner_id: str, new: NewCode) -> None:
        """Withdraws a code that could not be sent: it does not count as sent, and the previous code is valid again."""
        transaction.delete_count(partner_id, CountKind.SENT, new.sent.code_id)
        if not _is_still(new.sent, transaction.get_code(partner_id)):
            return
        transaction.delete_code(partner_id)
        if new.before is not None:
            transaction.save_code(partner_id, new.before)

    def _finish(self, first: Future[_Result | CodeAttempt], work: ProtectedWork[_Result], code: str) -> Future[_Result]:
        """Follows the first transaction: compares the code if it began an attempt, and then runs `work` with it."""
        attempt = first.result()
        if not isinstance(attempt, CodeAttempt):
            return cast(Future[_Result], first)
        if attempt.sent is None or not self._key.matches(attempt.sent, attempt.purpose, code):
            raise VerificationCodeInvalid(attempt.purpose.partner_id)
        second = self._store.submit_transaction(partial(self._run_forgiven, work, attempt))
        return then(second, self._give_back_if_refused, attempt)

    def _give_back_if_refused(self, second: Future[_Result], attempt: CodeAttempt) -> Future[_Result]:
        """Follows the second transaction: the code is not spent if `work` refused the change."""
        refusal = second.exception()
        if not isinstance(refusal, FrostgateError) or isinstance(refusal, _KEEPS_THE_TRY):
            return second
        given_back = self._store.submit_transaction(partial(self._give_back, attempt))
        return then(given_back, _end_with, second)

    def _run_forgiven(self, work: ProtectedWork[_Result], attempt: CodeAttempt, transaction: Transaction) -> _Result:
        """Removes the failure of the attempt and runs `work`. If `work` raises, the failure stays counted."""
        self._forgive(transaction, attempt)
        result = work(transaction, attempt=attempt)
        assert not isinstance(result, CodeAttempt), "with an attempt no other one is begun"
        return result

    def _give_back(self, attempt: CodeAttempt, transaction: Transaction) -> None:
        """Undoes an attempt with a right code whose change was refused for another reason."""
        self._forgive(transaction, attempt)
        present = transaction.get_code(attempt.purpose.partner_id)
        if present is not None and _is_still(attempt.sent, present):
            transaction.save_code(attempt.purpose.partner_id, replace(present, tries=present.tries - 1))

    def _forgive(self, transaction: Transaction, attempt: CodeAttempt) -> None:
        """Removes the failure that an attempt was counted as."""
        transaction.delete_count(attempt.purpose.partner_id, CountKind.FAILED, attempt.try_id)

    def _ensure_below(
        self, transaction: Transaction, counts: list[tuple[str, CountKind]], now: datetime, partner_id: str
    ) -> None:
        """Raises VerificationRateLimited if one of the counts, each of a name and a kind, has reached its limit.

        Reads every count, because reading corrects times that are in the future.
        """
        times = [transaction.list_counts(whom, kind, now) for whom, kind in counts]
        for (_, kind), found in zip(counts, times, strict=True):
            most, what = self._limit(kind)
            if len(found) >= most:
                wait = found[-most] + WINDOW - now
                raise VerificationRateLimited(what, max(1, ceil(wait.total_seconds())), partner_id)

    def _limit(self, kind: CountKind) -> tuple[int, str]:
        """The limit of a kind within an hour, and the word for it in the error message."""
        return {
            CountKind.SENT: (self._limits.sendings, "sent"),
            CountKind.TRIED: (TRIES_OF_A_SENDING * self._limits.sendings, "asked for"),
            CountKind.FAILED: (self._limits.failures, "wrong"),
        }[kind]


def counted_as(partner_id: str, contact: str) -> tuple[str, str]:
    """The names under which mails to a partner are counted: its id, and its contact after an @."""
    return partner_id, f"@{contact.casefold()}"


def _end_with(given_back: Future[None], second: Future[_Result]) -> Future[_Result]:
    """Follows the return of an attempt: raises its error if there is one, else gives the outcome of the change."""
    given_back.result()
    return second


def _is_still(sent: SentCode | None, present: SentCode | None) -> bool:
    return sent is not None and present is not None and sent.code_id == present.code_id
