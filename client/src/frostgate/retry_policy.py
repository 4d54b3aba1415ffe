"""When and how long to wait before another try: the same for both clients."""

import random
import time

import grpc

from .errors import MADE_KNOWN, DeadlineExceeded, FrostgateError, OutcomeUnknown

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds. Pauses double from the first to the longest, and each is shortened by chance, so that callers spread out."""

CHANNEL_OPTIONS: list[tuple[str, object]] = [
    # Each channel has a connection of its own, so that several reach several server processes.
    ("grpc.use_local_subchannel_pool", 1),
    # gRPC itself waits up to two minutes to connect anew: far longer than a server takes to start again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # By its name a pause, in truth how long one attempt to connect may take: a handshake far away takes its time.
    ("grpc.min_reconnect_backoff_ms", 2000),
    # Deadlines and retries are this client's own affair.
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.enable_retries", 0),
]


class Attempts:
    """The tries of one call, and the deadline of them all."""

    def __init__(self, timeout: float, *, once: bool = False) -> None:
        """Takes seconds from now, and whether there is to be but one try. Raises ValueError unless they are positive
        and finite."""
        self._once = once
        self._end = time.monotonic() + check_timeout(timeout)
        self._pause = FIRST_PAUSE
        self._says_most: FrostgateError | None = None

    def time_left(self) -> float:
        """Seconds left for the next try; a little more than none, since gRPC wants some."""
        return max(self._end - time.monotonic(), 0.001)

    def pause_after(self, error: FrostgateError) -> float:
        """Seconds to wait before another try. If there is to be none, raises the error that says most.

        Once an outcome is unknown, only an answer or a refusal that looked for an earlier answer first makes it known.
        """
        if not isinstance(self._says_most, OutcomeUnknown) and not isinstance(error, DeadlineExceeded):
            self._says_most = error
        pause = self._pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
        if error.code is grpc.StatusCode.UNAVAILABLE and not self._once and time.monotonic() + pause < self._end:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return pause
        if self._says_most in {None, error} or isinstance(error, MADE_KNOWN):
            raise error
        raise self._says_most from error


def check_timeout(timeout: float) -> float:
    """Gives a timeout back. Raises ValueError unless it is positive and finite: a call must not hang."""
    if not 0 < timeout < float("inf"):
        raise ValueError(f"a timeout must be a positive number of seconds, is {timeout!r}")
    return timeout
