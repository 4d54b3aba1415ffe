"""The records of decisions: lines of JSON. All that is the same for a cell or a caller is encoded once."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from random import random
from typing import Protocol

from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest

from frostgate_server.auth.interface import Call, Metadata
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.enums import Decision, DecisionReason, FreezeState
from frostgate_server.policy.rules import Policy
from frostgate_server.rpc.messages.precomputed_responses import Key

LONGEST_CALLER = 1024
"""The most characters of a caller's name in a record. With them a record has less than 4 KiB."""

_MOST_ORIGINS = 10_000
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""https://www.w3.org/TR/trace-context/#traceparent-header. Later versions may add fields."""


class RecordSelection(Protocol):
    """The settings that select the decisions to record."""

    @property
    def decision_log_sample(self) -> float:
        """The share of decisions."""

    @property
    def decision_log_denials_only(self) -> bool:
        """Whether allowed operations are left out."""


class DecisionRecords:
    """Encodes records. May be used in any thread."""

    def __init__(self, policy: Policy, selection: RecordSelection) -> None:
        """Encodes the part of each cell."""
        self._sample = selection.decision_log_sample
        self._cells = _encode_cells(policy, denials_only=selection.decision_log_denials_only)
        self._callers: dict[tuple[str, str], str] = {}

    def encode(
        self,
        requests: Sequence[CheckOperationRequest],
        states: Sequence[FreezeState | None],
        revision: int,
        origins: Sequence[str],
        source: str,
    ) -> list[str]:
        """A line for each decision, made from one state. Empty: it is not selected. The requests are well formed."""
        time = datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
        begin, middle = f'{{"time":"{time}Z","customer_id":"', f'"source":"{source}","revision":{revision},'
        lines = []
        for request, state, origin in zip(requests, states, origins, strict=True):
            cell = self._cells[state, request.billing_mode, request.operation]
            if cell is None or (self._sample < 1 and random() >= self._sample):  # noqa: S311 - chosen, not secret
                lines.append("")
            else:
                lines.append(f"{begin}{request.customer_id}{cell}{_resource(request.resource_id)}{middle}{origin}")
        return lines

    def origin(self, call: Call, caller: Caller, metadata: Metadata) -> str:
        """The end of the lines of a call: the caller, its address, and the trace id of its `traceparent`."""
        known = caller.principal, call.peer()
        encoded = self._callers.get(known)
        if encoded is None:
            if len(self._callers) >= _MOST_ORIGINS:
                self._callers.clear()
            encoded = self._callers[known] = _encode_caller(*known)
        for key, value in metadata or ():
            if key == "traceparent":
                match = _TRACE_PARENT.fullmatch(value) if isinstance(value, str) else None
                return f'{encoded},"trace_id":"{match[1]}"}}\n' if match else encoded + "}\n"
        return encoded + "}\n"


def describe_lost(worker: int, count: int) -> bytes:
    """The line with the number of records that a worker lost since its last such line."""
    time = datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    return f'{{"time":"{time}Z","worker":{worker},"lost_records":{count}}}\n'.encode()


def _encode_cells(policy: Policy, *, denials_only: bool) -> dict[Key, str | None]:
    """The part of each cell. None: it is not recorded."""
    cells: dict[Key, str | None] = {}
    for rule in policy.rules:
        mode, operation = rule.cell.billing_mode, rule.cell.operation
        for state, decision, reason in (
            (rule.cell.freeze_state, rule.decision, rule.reason),
            (None, policy.unknown_customer, DecisionReason.CUSTOMER_UNKNOWN),
        ):
            is_left_out = denials_only and decision is Decision.ALLOW
            cells[state, mode, operation] = (
                None
                if is_left_out
                else f'","operation":"{operation.name}","billing_mode":"{mode.name}","decision":"{decision.name}",'
                f'"reason":"{reason.name}","policy_version":"{policy.version}",'
            )
    return cells


def _encode_caller(principal: str, peer: str) -> str:
    # A principal is printable, so its encoding has no control character.
    name = json.dumps(principal[:LONGEST_CALLER], ensure_ascii=False)
    return f'"caller":{name},"peer":{json.dumps(peer)}'


def _resource(resource_id: str) -> str:
    return f'"resource_id":{json.dumps(resource_id)},' if resource_id else ""
