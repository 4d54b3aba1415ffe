"""The servers that are measured, each a process of its own."""

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import grpc
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest, CheckOperationResponse, ListRulesRequest
from frostgate.v1.policy_decision_service_pb2_grpc import PolicyDecisionServiceStub
from frostgate.v1.policy_pb2 import BillingMode, Operation
from support.processes import Process

from .fill import ID_FORMAT, STATES

Check = tuple[BillingMode.ValueType, Operation.ValueType]
"""What is asked about a customer."""

_READY = re.compile(r"\S+ is ready on (?:mTLS on )?(127\.0\.0\.1:\d+): ")


class CannotMeasure(Exception):
    """Something that a measurement needs is missing. The message says what."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready."""

    address: str
    pids: list[int]


def interrupt_on_signals() -> None:
    """Makes every usual signal to end raise KeyboardInterrupt, so that the servers that run are ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


@contextmanager
def running(command: list[str], variables: Mapping[str, str], log: Path) -> Iterator[Running]:
    """Runs a server for as long as the block lasts. Raises CannotMeasure if it does not start.

    A process that a server starts in reserve does not count among its own.
    """
    with log.open("ab") as errors, Process(command, variables=variables, stderr=errors) as process:
        address = _address(process, log)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Running(address, [process.pid, *map(int, children)])
        process.terminated()


def checks_that_exist(server: Running) -> list[Check]:
    """Every billing mode with every operation that exists for it."""
    with channel(server) as connection:
        rules = PolicyDecisionServiceStub(connection).ListRules(ListRulesRequest()).rules
    return sorted({(rule.billing_mode, rule.operation) for rule in rules})


def typical_answer(server: Running, checks: list[Check]) -> bytes:
    """Of the answers to every check of a customer in every state, one that is as long as they are on average."""
    with channel(server) as connection:
        check = PolicyDecisionServiceStub(connection).CheckOperation
        answers: list[CheckOperationResponse] = [
            check(CheckOperationRequest(customer_id=ID_FORMAT % number, billing_mode=mode, operation=operation))
            for number in range(STATES)
            for mode, operation in checks
        ]
    average = mean(answer.ByteSize() for answer in answers)
    return min(answers, key=lambda answer: abs(answer.ByteSize() - average)).SerializeToString()


def channel(server: Running) -> grpc.Channel:
    """A connection to a server."""
    return grpc.insecure_channel(server.address, options=[("grpc.enable_http_proxy", 0)])


def _address(process: Process, log: Path) -> str:
    ready = _READY.match(process.next_line())
    if ready is None:
        raise CannotMeasure(f"a server did not start; its words are in {log}")
    return ready[1]
