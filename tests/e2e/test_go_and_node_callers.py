"""Callers in Go and Node, built by the commands of docs/generating-clients.md, ask a real server."""

import fcntl
import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from frostgate.v1.policy_pb2 import BillingMode, FreezeState, Operation
from support.calls import Calls
from support.decision_table import ALL_PLACES, CELLS, NO_CELLS, Place
from support.processes import output
from support.runner.built_once import run_directory
from support.runner.sizes import members
from support.server_process import ServerProcess

ROOT = Path(__file__).parent.parent.parent
BUILT = ROOT / "build" / "callers"
PAGE = (ROOT / "docs" / "generating-clients.md").read_text()
DOCUMENTED_CALL = " 127.0.0.1:50051 < tests/callers/checks.json\n"
TOOLS = {"Go": ["make", "go"], "Node": ["node", "npm"]}

pytestmark = pytest.mark.timeout(600)

Outcome = dict[str, Any]
Check = dict[str, str]


class Caller:
    """A program that asks for decisions, as a section of the page builds and runs it."""

    def __init__(self, language: str) -> None:
        """Knows how to build and call it."""
        section = PAGE.split(f"\n## {language}\n")[1].split("\n## ")[0]
        self._build, call = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
        self._command = call.removesuffix(DOCUMENTED_CALL)
        self._directory = BUILT / language.lower()

    def build(self) -> None:
        """Builds it anew."""
        shutil.rmtree(self._directory, ignore_errors=True)
        output("sh", "-euc", self._build, cwd=ROOT, timeout=500)

    def outcomes(self, address: str, checks: list[Check]) -> dict[str, list[Outcome]]:
        """What came of the checks, asked one by one and together."""
        printed: dict[str, list[Outcome]] = json.loads(
            output(*self._command.split(), address, cwd=ROOT, stdin=json.dumps(checks))
        )
        assert list(printed) == ["one_by_one", "together"]
        return printed

    def outcome(self, address: str, check: Check) -> Outcome:
        """What came of one check, which is the same both ways."""
        printed = self.outcomes(address, [check])
        assert printed["one_by_one"] == printed["together"]
        return printed["together"][0]


@pytest.fixture(scope="module", params=members(TOOLS, short=["Node"]))
def caller(
    request: pytest.FixtureRequest, tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Caller]:
    """The caller in each language. It is built once for all processes of a run; this takes up to a minute."""
    for name in TOOLS[request.param]:
        tool(name)
    caller = Caller(request.param)
    BUILT.mkdir(parents=True, exist_ok=True)
    with built_for(caller, str(run_directory(tmp_path_factory)), BUILT / request.param):
        yield caller


@contextmanager
def built_for(caller: Caller, run: str, files: Path) -> Iterator[None]:
    """Builds the caller, if this run did not yet, and keeps other runs from building it meanwhile.

    The page names one place in the checkout, so that two runs cannot both build there.
    """
    builder = files.with_suffix(".builder")
    with files.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        while not builder.exists() or builder.read_text() != run:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not builder.exists() or builder.read_text() != run:
                builder.unlink(missing_ok=True)
                caller.build()
                builder.write_text(run)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@pytest.fixture(scope="module")
def table(caller: Caller, server: ServerProcess, calls: Calls) -> dict[str, dict[Place, Outcome]]:
    """What came of every place of the table, asked one by one and together."""
    customers = {state: calls.new_customer(state) for state, _, _ in ALL_PLACES}
    checks = [check(customers[state], mode, operation) for state, mode, operation in ALL_PLACES]
    printed = caller.outcomes(server.address, checks)
    return {way: dict(zip(ALL_PLACES, outcomes, strict=True)) for way, outcomes in printed.items()}


def check(customer_id: str, mode: str = "SPOT", operation: str = "VIEW") -> Check:
    return {
        "customer_id": customer_id,
        "billing_mode": f"BILLING_MODE_{mode}",
        "operation": f"OPERATION_{operation}",
    }


def messages(calls: Calls) -> dict[Place, str]:
    return {
        (
            FreezeState.Name(rule.freeze_state).removeprefix("FREEZE_STATE_"),
            BillingMode.Name(rule.billing_mode).removeprefix("BILLING_MODE_"),
            Operation.Name(rule.operation).removeprefix("OPERATION_"),
        ): rule.message
        for rule in calls.rules().rules
    }


@pytest.mark.parametrize("way", ["one_by_one", "together"])
def test_every_cell_is_answered_as_the_table_says(
    table: dict[str, dict[Place, Outcome]], calls: Calls, way: str
) -> None:
    sentences = messages(calls)
    assert {place: table[way][place] for place in CELLS} == {
        place: {
            "allowed": expected.decision == "ALLOW",
            "decision": f"DECISION_{expected.decision}",
            "reason": f"DECISION_REASON_{expected.reason}",
            "message": sentences[place],
            "freeze_state": f"FREEZE_STATE_{place[0]}",
            "basis": f"RULE_BASIS_{expected.basis}",
        }
        for place, expected in CELLS.items()
    }


@pytest.mark.parametrize("way", ["one_by_one", "together"])
def test_every_cell_that_does_not_exist_is_no_answer(table: dict[str, dict[Place, Outcome]], way: str) -> None:
    assert {place: table[way][place] for place in NO_CELLS} == {
        place: {
            "code": "INVALID_ARGUMENT",
            "error_reason": "OPERATION_NOT_APPLICABLE",
            "metadata": {"operation": place[2], "billing_mode": place[1]},
        }
        for place in NO_CELLS
    }


def test_an_unknown_customer_is_denied_and_has_neither_state_nor_basis(caller: Caller, server: ServerProcess) -> None:
    answer = caller.outcome(server.address, check("nobody"))
    assert (answer["allowed"], answer["reason"]) == (False, "DECISION_REASON_CUSTOMER_UNKNOWN")
    assert (answer.get("freeze_state"), answer.get("basis")) == (None, None)


def test_the_error_info_is_found_among_other_details(caller: Caller, server: ServerProcess) -> None:
    refused = caller.outcome(server.address, check(""))
    assert (refused["code"], refused["error_reason"]) == ("INVALID_ARGUMENT", "INVALID_FIELD")


def test_no_server_is_no_answer(caller: Caller) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert caller.outcome(address_of(nobody), check("c")) == {"code": "UNAVAILABLE"}


def test_a_server_that_says_nothing_is_no_answer_within_the_deadline(caller: Caller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert caller.outcome(address_of(silent), check("c")) == {"code": "DEADLINE_EXCEEDED"}


def address_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()
    return f"{host}:{port}"


@pytest.fixture(scope="module")
def documented_customer(calls: Calls) -> None:
    """Associates the customer of the page."""
    calls.associate(customer_id="c-1001")


@pytest.mark.usefixtures("documented_customer")
def test_the_caller_prints_what_the_page_shows(caller: Caller, server: ServerProcess) -> None:
    checks = json.loads((ROOT / "tests" / "callers" / "checks.json").read_text())
    [shown] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    printed = caller.outcomes(server.address, checks)
    assert printed == dict.fromkeys(["one_by_one", "together"], json.loads(shown))


def test_the_go_caller_is_formatted(tool: Callable[[str], str]) -> None:
    # The Go of PyPI puts only `go` on the PATH.
    gofmt = Path(output(tool("go"), "env", "GOROOT", cwd=ROOT).strip()) / "bin" / "gofmt"
    assert output(gofmt, "-l", "tests/callers/go", cwd=ROOT) == ""
