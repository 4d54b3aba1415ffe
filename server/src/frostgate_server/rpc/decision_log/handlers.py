"""Handlers of checks in thread pools that queue the records of a call before they answer it."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from frostgate.v1.policy_decision_service_pb2 import BatchCheckOperationsRequest, CheckOperationRequest
from google.protobuf.message import Message

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.errors import Overloaded
from frostgate_server.rpc.method_handlers import Answer, HandlerContext, MethodHandler, UnaryCall
from frostgate_server.rpc.policy_decision_servicer import Decided, PolicyDecisionServicer
from frostgate_server.rpc.reply import RETRY_AFTER_SECONDS

from .decision_log import DecisionLog

_Decide = Callable[[Caller, Any], Decided]

_SERVICE = "/frostgate.v1.PolicyDecisionService/"


class RecordingHandler(MethodHandler):
    """Answers the calls of a method of checks."""

    def __init__(
        self,
        name: str,
        request_class: type[Message],
        shared: HandlerContext,
        decide: _Decide,
        source: str,
        log: DecisionLog,
    ) -> None:
        """`source` is the value of this member in the records."""
        super().__init__(name, lambda caller, request: decide(caller, request).encoded, request_class, shared)
        self._decide = decide
        self._source = source
        self._decision_log = log

    def answer(self, call: UnaryCall, caller: Caller, request: Message) -> Answer:
        decided = self._decide(caller, request)
        records = self._decision_log.records
        origin = records.origin(call, caller, call.invocation_metadata())
        origins = [origin] * len(decided.checks)
        lines = "".join(records.encode(decided.checks, decided.states, decided.revision, origins, self._source))
        if not lines or self._decision_log.put(lines):
            return decided.encoded
        later: Future[bytes] = Future()
        self._decision_log.put_later(lines, call.deadline, partial(_complete, later, decided.encoded))
        return later


def recording_handlers(
    servicer: PolicyDecisionServicer, shared: HandlerContext, log: DecisionLog
) -> dict[str, MethodHandler]:
    """The handlers of the methods of checks, by path."""
    single, batch = "CheckOperation", "BatchCheckOperations"
    return {
        _SERVICE + single: RecordingHandler(
            single, CheckOperationRequest, shared, servicer.decide_check, "single", log
        ),
        _SERVICE + batch: RecordingHandler(
            batch, BatchCheckOperationsRequest, shared, servicer.decide_batch, "batch", log
        ),
    }


def _complete(later: "Future[bytes]", answer: bytes, is_queued: bool) -> None:
    if is_queued:
        later.set_result(answer)
    else:
        later.set_exception(Overloaded(RETRY_AFTER_SECONDS))
