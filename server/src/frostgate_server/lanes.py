"""Threads by purpose, so that nothing slow takes the threads that checks need."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

LaneName = Literal["checks", "changes", "bulk", "reflection", "health"]

SPARE_THREADS = 256
"""How many threads a lane may be given beyond its own."""

LOOK_PERIOD = 0.05
"""Seconds between two looks at the lanes."""

LANE_OF_METHOD: dict[str, LaneName] = {
    "CheckOperation": "checks",
    "BatchCheckOperations": "bulk",
    "ListRules": "bulk",
    "AssociateCustomer": "changes",
    "DisassociateCustomer": "changes",
    "FreezeCustomer": "changes",
    "UnfreezeCustomer": "changes",
    "BatchFreezeCustomers": "changes",
    "BatchUnfreezeCustomers": "changes",
    "GetCustomer": "bulk",
    "ListCustomers": "bulk",
    "ListFreezeEvents": "bulk",
    "ServerReflectionInfo": "reflection",
}
"""Every method has a lane of its own choice: one that is forgotten here keeps the server from starting."""


class Lane(ThreadPoolExecutor):
    """The threads of one purpose.

    A thread waits for the bytes of its call, and a caller may never send them. So a lane in which calls wait and none
    goes on is given another thread, up to a limit: it takes that many silent callers to stop it.
    """

    def __init__(self, name: str, threads: int, most_waiting: int = sys.maxsize) -> None:
        """A call whose turn comes while more than `most_waiting` wait behind it is to be turned away."""
        super().__init__(max_workers=threads, thread_name_prefix=name)
        self._most_waiting = most_waiting
        self._most_threads = threads + SPARE_THREADS
        self._begun = 0
        self._begun_before = 0

    def begin(self) -> bool:
        """Says that a call has its bytes and goes on. False if it is to be turned away.

        The executor's own queue is the only one that knows how many wait.
        """
        self._begun += 1
        return self._work_queue.qsize() <= self._most_waiting

    def relieve(self) -> None:
        """Gives the lane another thread if calls wait and none has begun since the last look."""
        stuck = self._begun == self._begun_before and not self._work_queue.empty()
        self._begun_before = self._begun
        if stuck and self._max_workers < self._most_threads:
            self._max_workers += 1
            self._adjust_thread_count()


Lanes = dict[LaneName, Lane]


def open_lanes(check_threads: int) -> Lanes:
    """The lanes of a server."""
    return {
        "checks": Lane("check", check_threads, most_waiting=2000),
        "changes": Lane("change", 8, most_waiting=1000),
        "bulk": Lane("bulk", 2, most_waiting=200),
        "reflection": Lane("reflection", 4),
        "health": Lane("health", 2),
    }


class Watch:
    """Looks after lanes, from a thread of its own, until it is closed."""

    def __init__(self, lanes: Lanes) -> None:
        """Begins to look."""
        self._lanes = lanes
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, name="lanes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._closed.wait(LOOK_PERIOD):
            for lane in self._lanes.values():
                lane.relieve()


def in_lane(method: Callable[..., object], lane: Lane) -> None:
    """Makes gRPC call the method in the threads of the lane, by the attribute in which it looks for them."""
    vars(method)["experimental_thread_pool"] = lane
