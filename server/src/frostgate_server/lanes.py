"""Threads by purpose, so that nothing slow takes the threads that checks need."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


class Lane(ThreadPoolExecutor):
    """The threads of one purpose, and a bound on the calls that wait for them."""

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        """Calls over `most_waiting` are to be turned away."""
        super().__init__(max_workers=threads, thread_name_prefix=name)
        self._most_waiting = most_waiting

    def crowded(self) -> bool:
        """Whether more calls wait than may. The executor's own queue is the only one that knows."""
        return self._work_queue.qsize() > self._most_waiting


@dataclass(frozen=True, slots=True)
class Lanes:
    """One lane for each kind of call: single checks; changes; batches and listings; reflection."""

    checks: Lane
    changes: Lane
    bulk: Lane
    reflection: Lane


def open_lanes(check_threads: int) -> Lanes:
    """The lanes of a server. Two threads a core are too many for checks: they share one interpreter lock."""
    return Lanes(
        checks=Lane("check", check_threads, most_waiting=2000),
        changes=Lane("change", 8, most_waiting=1000),
        bulk=Lane("bulk", 2, most_waiting=200),
        reflection=Lane("reflection", 4, most_waiting=100),
    )
