"""Checks of the loop with a decision log: the records of a group are queued before its answers are sent."""

from functools import partial

from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.enums import FreezeState
from frostgate_server.rpc.decision_log.decision_log import DecisionLog
from frostgate_server.rpc.method_handlers import MethodHandler
from frostgate_server.rpc.policy_decision_servicer import GroupAnswers
from frostgate_server.rpc.reply import OVERLOADED

from .unary_call import UnaryCall

Ready = tuple[UnaryCall, Caller, CheckOperationRequest]
"""A check with its caller and its request."""


class RecordedChecks:
    """Answers groups of checks. Checks that must wait for room in the queue of records wait off the loop: a thread that
    is not the loop's or a tick answers them."""

    def __init__(self, handler: MethodHandler, log: DecisionLog) -> None:
        """The handler is that of the method."""
        self._handler = handler
        self._log = log

    def answer(self, ready: list[Ready], group: GroupAnswers) -> None:
        """Answers the checks of a group."""
        try:
            self._answer(ready, group)
        except Exception as error:  # noqa: BLE001 - an error must not stop the loop
            for call, _, _ in ready:
                call.fail(error)

    def _answer(self, ready: list[Ready], group: GroupAnswers) -> None:
        decided: list[tuple[UnaryCall, bytes]] = []
        requests: list[CheckOperationRequest] = []
        states: list[FreezeState | None] = []
        origins: list[str] = []
        records = self._log.records
        for (call, caller, request), answer, state in zip(ready, group.answers, group.states, strict=True):
            if isinstance(answer, bytes):
                decided.append((call, answer))
                requests.append(request)
                states.append(state)
                origins.append(records.origin(call, caller, call.metadata))
            else:
                call.reply(self._handler.refuse(call, caller, answer))
        lines = records.encode(requests, states, group.revision, origins, "single")
        if self._log.put("".join(lines)):
            for call, answer in decided:
                call.answer(answer)
            return
        for (call, answer), line in zip(decided, lines, strict=True):
            if line:
                self._log.put_later(line, call.deadline, partial(_finish, call, answer))
            else:
                call.answer(answer)


def _finish(call: UnaryCall, answer: bytes, is_queued: bool) -> None:
    """Answers a check that waited, in any thread."""
    if is_queued:
        call.answer(answer)
    else:
        call.reply(OVERLOADED)
