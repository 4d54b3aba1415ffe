"""When and how long to wait before another try: the same for both clients."""

import logging
import random
import time

import grpc

from .enums import ErrorReason
from .errors import MADE_KNOWN, DeadlineExceeded, FrostgateError, OutcomeUnknown

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds. Pauses double from the first to the longest, and each is shortened by chance, so that callers spread out."""

_log = logging.getLogger("frostgate")


class Attempts:
    """The tries of one call, and the deadline of them all."""

    def __init__(self, timeout: float, *, once: bool = False, name: str = "call") -> None:
        """Takes seconds from now, whether there is to be but one try, and the name of the call for the log.

        Raises ValueError unless the seconds are positive and finite.
        """
        self._once = once
        self._name = name
        self._end = time.monotonic() + check_timeout(timeout)
        self._pause = FIRST_PAUSE
        self._says_most: FrostgateError | None = None
        self._sent = False
        self._tries = 0

    def time_left(self) -> float:
        """Seconds left for the next try; a little more than none, since gRPC wants some."""
        return max(self._end - time.monotonic(), 0.001)

    def pause_after(self, error: FrostgateError) -> float:
        """Seconds to wait before another try. If there is to be none, raises the error that says most.

        Once an outcome is unknown, only an answer or a refusal that looked for an earlier answer first makes it known.
        """
        self._tries += 1
        self._sent = error.sent = self._sent or error.sent
        if not isinstance(self._says_most, OutcomeUnknown) and not isinstance(error, DeadlineExceeded):
            self._says_most = error
        pause = self._pause_before_another_try(error)
        if pause is not None and time.monotonic() + pause < self._end:
            _log.debug("%s: try %d failed, another one in %.2f s: %s", self._name, self._tries, pause, error)
            return pause
        if self._says_most in {None, error} or isinstance(error, MADE_KNOWN):
            raise error
        raise self._says_most from error

    def _pause_before_another_try(self, error: FrostgateError) -> float | None:
        """Seconds to wait, if the deadline allows. None: the error is final."""
        chance = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
        asked = error.retry_after or 0.0
        if error.reason == ErrorReason.OVERLOADED and asked > 0 and not self._once:
            # Not earlier than asked, and not all callers at once.
            return asked * (1.5 - chance / 2)
        if error.code is grpc.StatusCode.UNAVAILABLE and not (self._once and self._sent):
            pause = max(self._pause * chance, asked)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return pause
        return None


def check_timeout(timeout: float) -> float:
    """Gives a timeout back. Raises ValueError unless it is positive and finite: a call must not hang."""
    if not 0 < timeout < float("inf"):
        raise ValueError(f"a timeout must be a positive number of seconds, is {timeout!r}")
    return timeout
