"""Every make of the bare servers that the benchmarks compare with."""

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import load_program
from benchmarks.echoes.makes import Make
from benchmarks.load_program import Load
from benchmarks.scenarios import Calls
from benchmarks.servers import Running, running
from benchmarks.subjects import ECHOES, Echo, GoEcho
from frostgate.v1.policy_decision_service_pb2 import CheckOperationResponse
from frostgate.v1.policy_pb2 import BillingMode, Decision, Operation
from support.runner.sizes import members

ANSWER = CheckOperationResponse(
    decision=Decision.DECISION_DENY, message="as long as any", revision=7
).SerializeToString()
CHECKS = [(BillingMode.BILLING_MODE_YEARLY_MONTHLY, Operation.OPERATION_RENEW)]
LOAD = Load(3, CHECKS, Calls("check", 2), None, warmup=0.1, seconds=0.2, seed=1)
ONE_OF_EACH_MAKE = list({echo.make: echo for echo in ECHOES}.values())
LEFT = [Echo(Make.LOOP, 1), Echo(Make.QUEUED, 1, 1)]


def assert_echoes(load: Path, server: Running, callers: int) -> None:
    """Every call is answered OK, by the answer that the echo was given."""
    told = load_program.outcome(load, server, replace(LOAD, calls=Calls("check", callers)))["measured"]
    assert set(told["statuses"]) == {"OK"}
    assert set(told["decisions"]) == {"DECISION_DENY"}
    assert told["mean_answer_bytes"] == len(ANSWER)


@pytest.mark.parametrize("echo", members(ECHOES, short=ONE_OF_EACH_MAKE), ids=lambda echo: echo.name)
def test_every_make_gives_the_one_answer_to_every_call(load: Path, tmp_path: Path, echo: Echo) -> None:
    with running(echo.command(ANSWER), {}, tmp_path / "log") as server:
        assert len(server.pids) == 1 + echo.processes
        assert_echoes(load, server, callers=8)


def test_the_bare_server_in_go_gives_the_same(load: Path, tmp_path: Path) -> None:
    with running(GoEcho(load_program.go_echo(load)).command(ANSWER), {}, tmp_path / "log") as server:
        assert_echoes(load, server, callers=8)


@pytest.mark.parametrize("echo", members(LEFT, short=LEFT[:1]), ids=lambda echo: echo.name)
def test_callers_who_leave_before_the_answer_stop_no_others(load: Path, tmp_path: Path, echo: Echo) -> None:
    with running(echo.command(ANSWER), {}, tmp_path / "log") as server:
        hasty = replace(LOAD, calls=Calls("check", 16), shown=["-deadline=2ms"])
        assert "DeadlineExceeded" in load_program.outcome(load, server, hasty)["measured"]["statuses"]
        assert_echoes(load, server, callers=100)
    assert (tmp_path / "log").read_text() == ""
