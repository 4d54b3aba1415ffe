"""Checks on the loop's own thread: each turn answers a group of waiting checks from one read."""

from collections.abc import Callable
from time import monotonic, time

from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest
from google.protobuf.message import DecodeError

from frostgate_server.domain.caller import Caller
from frostgate_server.rpc.method_handlers import MethodHandler
from frostgate_server.rpc.policy_decision_servicer import PolicyDecisionServicer
from frostgate_server.rpc.reply import OVERLOADED, probe_reply

from .fair_queue import FairQueue
from .limits import owner_of
from .unary_call import UnaryCall

LARGEST_GROUP = 64
"""The most checks that are answered in one turn. Larger groups would delay new calls and bring no gain."""

LARGEST_ON_LOOP = 1024
"""The largest request that the loop parses itself, in bytes. A well-formed one has a few hundred."""

_COST_WEIGHT = 0.1
"""The weight of the last turn in the moving average of the time of a check."""

_Ready = tuple[UnaryCall, Caller, CheckOperationRequest]


class CheckGroups:
    """The checks that wait. Only the loop's thread uses it, except `count_answered`."""

    def __init__(
        self,
        handler: MethodHandler,
        servicer: PolicyDecisionServicer,
        hand_over: Callable[[UnaryCall, Caller | None], None],
        most_waiting: int,
    ) -> None:
        """Gives calls that would delay the loop to `hand_over`: another thread answers them."""
        self._handler = handler
        self._servicer = servicer
        self._hand_over = hand_over
        self._most_waiting = most_waiting
        self._waiting: FairQueue[UnaryCall] = FairQueue()
        self._arrived: list[UnaryCall] = []
        self._probes: list[UnaryCall] = []
        self._seconds_per_check = 0.0
        self._group_ended = 0.0
        self._are_left = False
        self._answered = 0

    def __len__(self) -> int:
        """The number of checks that wait."""
        return len(self._arrived) + len(self._probes) + len(self._waiting)

    def count_answered(self) -> int:
        """The number of checks that were taken from the queue so far. May be called in any thread."""
        return self._answered

    def has_room(self, call: UnaryCall) -> bool:
        """Whether one more check may wait. Beyond the limit only callers with few waiting checks may add more."""
        waiting = len(self._waiting) + len(self._arrived)
        if waiting < LARGEST_GROUP:
            return True
        if waiting < self._most_waiting and waiting * self._seconds_per_check <= call.deadline - time():
            return True
        return waiting < 2 * self._most_waiting and self._has_room_for_owner(call, waiting)

    def _has_room_for_owner(self, call: UnaryCall, waiting: int) -> bool:
        """The same for one caller, whose check comes before those of callers with more waiting checks."""
        self._queue_arrived()
        owner, counts = owner_of(call, self._handler), self._waiting.counts
        if waiting >= self._most_waiting and not counts.has_share(owner, self._most_waiting):
            return False
        return counts.turn_of(owner) * self._seconds_per_check <= call.deadline - time()

    def _queue_arrived(self) -> None:
        for call in self._arrived:
            self._waiting.add(owner_of(call, self._handler), call)
        self._arrived.clear()

    def add(self, call: UnaryCall) -> None:
        """Takes a check whose message has arrived. It is answered in this turn or in a later one."""
        if self.has_room(call):
            self._arrived.append(call)
        else:
            call.reply(OVERLOADED)

    def add_probe(self, call: UnaryCall) -> None:
        """Takes the worker's check of itself. No limit applies to it, and it is answered in this turn."""
        self._probes.append(call)

    def answer_group(self) -> None:
        """Answers the probes and at most one group of waiting checks, taken from the owners in turn."""
        probes, self._probes = self._probes, []
        for probe in probes:
            self._answer_probe(probe)
        is_busy = self._are_left
        if self._waiting or len(self._arrived) > LARGEST_GROUP:
            self._queue_arrived()
            calls = self._waiting.take(LARGEST_GROUP)
        else:
            calls, self._arrived = self._arrived, []
        self._are_left = bool(self._waiting)
        if not calls:
            return
        self._answer(calls)
        self._measure(len(calls), is_busy=is_busy)

    def _measure(self, checks: int, *, is_busy: bool) -> None:
        """Adds the time of a turn to the average time of a check, if checks waited during the whole turn."""
        ended, self._group_ended = self._group_ended, monotonic()
        if is_busy:
            seconds = (self._group_ended - ended) / checks
            self._seconds_per_check += _COST_WEIGHT * (seconds - self._seconds_per_check)

    def _answer_probe(self, probe: UnaryCall) -> None:
        try:
            probe.reply(probe_reply(self._servicer, probe.message))
        except Exception as error:  # noqa: BLE001 - an error must not stop the loop
            probe.fail(error)

    def _answer(self, calls: list[UnaryCall]) -> None:
        now = time()
        ready = [parsed for call in calls if (parsed := self._parse(call, now)) is not None]
        self._answered += len(calls)
        if not ready:
            return
        try:
            answers = self._servicer.check_group([request for _, _, request in ready])
        except Exception:  # noqa: BLE001 - the pool answers each alone, logs a bug and fails only the call that has it
            for call, caller, _ in ready:
                self._hand_over(call, caller)
            return
        for (call, caller, _), answer in zip(ready, answers, strict=True):
            if isinstance(answer, bytes):
                call.answer(answer)
            else:
                call.reply(self._handler.refuse(caller, answer))

    def _parse(self, call: UnaryCall, now: float) -> _Ready | None:
        """The call with its caller and request. None if the call was handed over or dropped."""
        if call.deadline <= now:
            call.drop()
            return None
        caller = self._handler.find_caller(call)
        if caller is None or len(call.message) > LARGEST_ON_LOOP:
            self._hand_over(call, caller)
            return None
        try:
            return call, caller, CheckOperationRequest.FromString(call.message)
        except DecodeError:
            self._hand_over(call, caller)
            return None
