"""A worker's check of itself: a real CheckOperation, through a real connection, every 0.2 s."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import grpc
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest

from frostgate_server.domain.enums import BillingMode, Operation

from .health import HealthMonitor
from .messages.converters import wire
from .method_handlers import WORKER_METADATA_KEY

ANSWER_TIMEOUT = 5.0
"""Seconds after which an unanswered check is cancelled, and the next one is made."""


class Probe:
    """Makes one check at a time. The monitor sets the health of the server according to the answers.

    No limit and no queue applies to the check. If it is not answered, either the loop is stuck or the process gets no
    processor time. In the second case the loop still finishes turns.
    """

    def __init__(self, socket: Path, method: str, turns: Callable[[], int], monitor: HealthMonitor) -> None:
        """Calls `method` of the server that listens on the unix socket. `turns` counts the turns of its loop."""
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=[("grpc.enable_http_proxy", 0)])
        self._check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)
        self._turns = turns
        self._monitor = monitor
        self._call: grpc.Future[bytes] | None = None
        self._seen_turns = 0

    def is_alive(self) -> bool:
        """Whether the last check was answered, with any status, or the loop finished a turn since the last call."""
        answered = self._take_answer()
        if self._call is None:
            self._call = self._check.future(_make_request(), timeout=ANSWER_TIMEOUT)
        self._monitor.tick()
        turns, self._seen_turns = self._seen_turns, self._turns()
        return answered or turns != self._seen_turns

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _take_answer(self) -> bool:
        """Whether the check in progress was answered. If so, none is in progress afterwards."""
        if self._call is None or not self._call.done():
            return False
        error, self._call = self._call.exception(), None
        if error is None:
            self._monitor.note_answer(good=True)
            return True
        self._monitor.note_answer(good=False)
        return _is_answer(error)


def _make_request() -> bytes:
    """A check of a random customer that does not exist, so that each check reads different pages of the database."""
    return CheckOperationRequest(
        customer_id=str(uuid4()), operation=wire(Operation.VIEW), billing_mode=wire(BillingMode.PAY_PER_USE)
    ).SerializeToString()


def _is_answer(error: object) -> bool:
    """Whether an error came from the server's own methods. They name their worker, but gRPC itself does not."""
    trailers = error.trailing_metadata() if isinstance(error, grpc.Call) else None
    return any(key == WORKER_METADATA_KEY for key, _ in trailers or ())
