"""The servers that are measured, each a process of its own."""

import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import grpc
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest, CheckOperationResponse, ListRulesRequest
from frostgate.v1.policy_decision_service_pb2_grpc import PolicyDecisionServiceStub
from frostgate.v1.policy_pb2 import BillingMode, Operation
from server_process import environment

from .fill import ID_FORMAT, STATES

THREADS = 2
"""Of the server by default, and so of the echo."""

Check = tuple[BillingMode.ValueType, Operation.ValueType]
"""What is asked about a customer."""

_READY = re.compile(r"\S+ is ready on (127\.0\.0\.1:\d+): ")
_PATIENCE = 60.0


class CannotMeasure(Exception):
    """Something that a measurement needs is missing. The message says what."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready."""

    address: str
    pid: int


def frostgate_command(database: Path) -> list[str]:
    """The real server with its default settings."""
    command = [sys.executable, "-m", "frostgate_server", "serve"]
    return [*command, "--listen", "127.0.0.1:0", "--database", str(database), "--check-threads", str(THREADS)]


def echo_command(answer: bytes) -> list[str]:
    """The bare server."""
    script = Path(__file__).with_name("echo.py")
    return [sys.executable, str(script), "--answer", answer.hex(), "--threads", str(THREADS)]


@contextmanager
def running(command: list[str], log: Path) -> Iterator[Running]:
    """Runs a server for as long as the block lasts. Raises CannotMeasure if it does not start."""
    with log.open("ab") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment())
    try:
        yield Running(_address(process, log), process.pid)
    finally:
        _end(process)


def checks_that_exist(server: Running) -> list[Check]:
    """Every billing mode with every operation that exists for it."""
    with _channel(server) as channel:
        rules = PolicyDecisionServiceStub(channel).ListRules(ListRulesRequest()).rules
    return sorted({(rule.billing_mode, rule.operation) for rule in rules})


def typical_answer(server: Running, checks: list[Check]) -> bytes:
    """Of the answers to every check of a customer in every state, one that is as long as they are on average."""
    with _channel(server) as channel:
        check = PolicyDecisionServiceStub(channel).CheckOperation
        answers: list[CheckOperationResponse] = [
            check(CheckOperationRequest(customer_id=ID_FORMAT % number, billing_mode=mode, operation=operation))
            for number in range(STATES)
            for mode, operation in checks
        ]
    average = mean(answer.ByteSize() for answer in answers)
    return min(answers, key=lambda answer: abs(answer.ByteSize() - average)).SerializeToString()


def _channel(server: Running) -> grpc.Channel:
    return grpc.insecure_channel(server.address, options=[("grpc.enable_http_proxy", 0)])


def _address(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], _PATIENCE)
    line = process.stdout.readline() if readable else ""
    ready = _READY.match(line)
    if ready is None:
        raise CannotMeasure(f"a server did not start; its words are in {log}")
    return ready[1]


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_PATIENCE)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        assert process.stdout is not None
        process.stdout.close()
