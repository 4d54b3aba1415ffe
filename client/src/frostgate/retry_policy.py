"""Decides about retries and pauses, for both clients."""

import logging
import random
import time

import grpc

from .enums import ErrorReason
from .errors import MADE_KNOWN, DeadlineExceeded, FrostgateError, OutcomeUnknown

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds. Pauses double up to the longest. Each is shortened by a random factor, so that callers spread out."""

_log = logging.getLogger("frostgate")


class Attempts:
    """The tries of one call, and their common deadline."""

    def __init__(self, timeout: float, *, once: bool = False, name: str = "call") -> None:
        """Takes the seconds until the deadline, whether the call is sent only once, and its name for the log.

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
        """Returns the seconds left for the next try: at least 0.001, because gRPC needs a positive timeout."""
        return max(self._end - time.monotonic(), 0.001)

    def pause_after(self, error: FrostgateError) -> float:
        """Returns the seconds to wait before a retry. If there is no retry, raises the most informative error.

        After an unknown outcome, only two results make it known: an answer, or one of the errors in MADE_KNOWN.
        """
        self._tries += 1
        self._sent = error.sent = self._sent or error.sent
        if not isinstance(self._says_most, OutcomeUnknown) and not isinstance(error, DeadlineExceeded):
            self._says_most = error
        pause = self._pause_before_another_try(error)
        if pause is not None and time.monotonic() + pause < self._end:
            _log.debug("%s: try %d failed, next try in %.2f s: %s", self._name, self._tries, pause, error)
            return pause
        if self._says_most in {None, error} or isinstance(error, MADE_KNOWN):
            raise error
        raise self._says_most from error

    def _pause_before_another_try(self, error: FrostgateError) -> float | None:
        """Returns the seconds to wait, without regard to the deadline. None: the error is final."""
        chance = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, is no secret
        asked = error.retry_after or 0.0
        if error.reason == ErrorReason.OVERLOADED and asked > 0 and not self._once:
            # Not before the time that the server set, and not all callers at the same time.
            return asked * (1.5 - chance / 2)
        if error.code is grpc.StatusCode.UNAVAILABLE and not (self._once and self._sent):
            pause = max(self._pause * chance, asked)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return pause
        return None


def check_timeout(timeout: float) -> float:
    """Returns the timeout. Raises ValueError unless it is positive and finite: a call must not hang."""
    if not 0 < timeout < float("inf"):
        raise ValueError(f"a timeout must be a positive number of seconds, but is {timeout!r}")
    return timeout
