"""Threads by purpose, so that nothing slow takes the threads that checks need."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

LaneName = Literal["checks", "changes", "bulk", "reflection"]

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
    """The threads of one purpose, and a bound on the calls that wait for them."""

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        """Calls over `most_waiting` are to be turned away."""
        super().__init__(max_workers=threads, thread_name_prefix=name)
        self._most_waiting = most_waiting

    def crowded(self) -> bool:
        """Whether more calls wait than may. The executor's own queue is the only one that knows."""
        return self._work_queue.qsize() > self._most_waiting


Lanes = dict[LaneName, Lane]


def open_lanes(check_threads: int) -> Lanes:
    """The lanes of a server."""
    return {
        "checks": Lane("check", check_threads, most_waiting=2000),
        "changes": Lane("change", 8, most_waiting=1000),
        "bulk": Lane("bulk", 2, most_waiting=200),
        "reflection": Lane("reflection", 4, most_waiting=100),
    }


def in_lane(method: Callable[..., object], lane: Lane) -> None:
    """Makes gRPC call the method in the threads of the lane, by the attribute in which it looks for them."""
    vars(method)["experimental_thread_pool"] = lane
