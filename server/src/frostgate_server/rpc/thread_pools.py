"""Threads by purpose, so that nothing slow takes the threads that checks need."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from time import monotonic, sleep
from typing import Any, Literal

from frostgate_server.domain.errors import StartupError

from .grpc_internals import is_unary, when_message_has_come

LaneName = Literal["checks", "changes", "bulk", "mail", "reflection", "health", "identities"]

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
    "GetPartner": "bulk",
    "UpdatePartner": "changes",
    "SendVerificationCode": "mail",
    "ServerReflectionInfo": "reflection",
}
"""Every method has a lane of its own choice: one that is forgotten here keeps the server from starting."""

CHANGES_AT_ONCE = 12
"""They mostly wait, to be committed together. Then all of them want the interpreter at once, and a check waits behind
them: more would commit more in a second, and make checks wait the longer."""

REST = 0.006
"""Seconds that work which gives way rests afterwards, for each call that came meanwhile."""

MOST_REST = 3.0
"""The same at most, as a multiple of the time that the work took."""

LONGEST_REST = 0.2
"""The same at most, in seconds."""


RETRY_AFTER_SECONDS = 1
"""For callers who are turned away."""

Gate = Callable[..., Future[Any]]
"""Takes the queue of a lane and a call, and queues the call there when it may go on, or answers it."""


class Lane(ThreadPoolExecutor):
    """The threads of one purpose, all started at once: what they need is there before the first call."""

    def __init__(
        self, name: str, threads: int, most_waiting: int = sys.maxsize, gives_way_to: "Lane | None" = None
    ) -> None:
        """A call whose turn comes while more than `most_waiting` wait behind it is to be turned away.

        Each of its calls gives way to the lane that this one `gives_way_to`. Raises RuntimeError if the system gives no
        more threads.
        """
        super().__init__(max_workers=threads, thread_name_prefix=name)
        self._most_waiting = most_waiting
        self._gives_way_to = gives_way_to
        self._begun = 0
        self.gate: Gate | None = None
        all_started = threading.Barrier(threads)
        wait([super(Lane, self).submit(all_started.wait) for _ in range(threads)])

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **more: Any) -> Future[Any]:
        """Queues a call. A unary one is queued when its message has come: silent callers take no thread."""
        if is_unary(arguments):
            return when_message_has_come(self._queue, call, *arguments)
        return super().submit(call, *arguments, **more)

    def crowded(self) -> bool:
        """Whether more wait than may. The executor's own queue is the only one that knows."""
        return self._work_queue.qsize() > self._most_waiting

    def queue(self, call: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Queues a call as it is, whatever it is."""
        return super().submit(self._run, call, *arguments)

    def _queue(self, call: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        return self.gate(self.queue, call, *arguments) if self.gate else self.queue(call, *arguments)

    @contextmanager
    def given_way(self) -> Iterator[None]:
        """Around work that gives way to this lane: it rests afterwards, the longer the more calls came meanwhile.

        All share one interpreter, and no call goes on while other work computes.
        """
        start, begun_before = monotonic(), self._begun
        yield
        came = self._begun - begun_before
        sleep(min(came * REST, MOST_REST * (monotonic() - start), LONGEST_REST))

    def _run(self, call: Callable[..., Any], /, *arguments: Any) -> None:
        """Makes a call, and gives way where that is asked for."""
        self._begun += 1
        with self._gives_way_to.given_way() if self._gives_way_to else nullcontext():
            call(*arguments)


Lanes = dict[LaneName, Lane]


def open_lanes(check_threads: int) -> Lanes:
    """The lanes of a server. Raises StartupError if the system gives no more threads."""
    try:
        checks = Lane("check", check_threads, most_waiting=2000)
        return {
            "checks": checks,
            "changes": Lane("change", CHANGES_AT_ONCE, most_waiting=1000),
            "bulk": Lane("bulk", 2, most_waiting=200, gives_way_to=checks),
            "mail": Lane("mail", 4, most_waiting=100),
            "reflection": Lane("reflection", 16),
            "health": Lane("health", 2),
            "identities": Lane("identity", 2, most_waiting=500, gives_way_to=checks),
        }
    except RuntimeError as error:
        raise StartupError(f"threads cannot be started: {error}; raise the limit of processes") from error


def set_gate(lanes: Lanes, gate: Gate) -> None:
    """Puts a gate before all lanes in which calls are answered. Streams do not pass it."""
    for name in LANE_OF_METHOD.values():
        lanes[name].gate = gate


def in_lane(method: Callable[..., object], lane: Lane) -> None:
    """Makes gRPC call the method in the threads of the lane, by the attribute in which it looks for them."""
    vars(method)["experimental_thread_pool"] = lane
