"""A caller in Java receives, byte for byte, what a caller in Python receives."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from typing import Any, NamedTuple

import grpc
import pytest
from support.calls import Calls
from support.processes import PATIENCE, output
from support.runner.built_once import built_once
from support.server_process import PATIENT_STORE, ServerProcess
from support.ways import WAYS, path_of, request
from support.worker_lives import blocked

SOURCE = Path(__file__).parent
MILLISECONDS = int(PATIENCE * 1000)

pytestmark = pytest.mark.timeout(600)


class Outcome(NamedTuple):
    """What became of a call."""

    code: str
    answer: bytes
    details: bytes


class Call(NamedTuple):
    """A call in bytes."""

    path: str
    serialized: bytes
    timeout: int = MILLISECONDS
    compression: str = "identity"


class JavaCaller:
    """The program, built."""

    def __init__(self, java: str, directory: Path) -> None:
        """Takes the JVM, and where the program is."""
        self._command = [java, "-cp", f"{directory}/jars/*:{directory}", "Caller"]

    def outcomes(self, address: str, calls: list[Call]) -> list[Outcome]:
        """Makes calls, one after another on one connection."""
        lines = [f"{call.path} {call.serialized.hex()} {call.timeout} {call.compression}\n" for call in calls]
        printed = output(*self._command, address, stdin="".join(lines))
        told = [line.split(" ") for line in printed.splitlines()]
        return [Outcome(code, bytes.fromhex(answer), bytes.fromhex(details)) for code, answer, details in told]


@pytest.fixture(scope="module")
def caller(tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> JavaCaller:
    """The caller, built once for all processes of a run: this takes up to half a minute."""
    java, javac, maven = tool("java"), tool("javac"), tool("mvn")

    def build(directory: Path) -> None:
        copytree(SOURCE, directory, dirs_exist_ok=True)
        copy = ["dependency:copy-dependencies", "-DoutputDirectory=jars"]
        output(maven, "--quiet", "--batch-mode", *copy, cwd=directory, timeout=500)
        output(javac, "-Xlint:all", "-Werror", "-cp", "jars/*", "Caller.java", cwd=directory)

    return JavaCaller(java, built_once(tmp_path_factory, "java", build))


def in_python(server: ServerProcess, call: Call) -> Outcome:
    """The same call, made here."""
    function: Any = server.channel.unary_unary(call.path)
    try:
        return Outcome("OK", function(call.serialized, timeout=call.timeout / 1000), b"")
    except grpc.RpcError as raised:
        error: Any = raised
        return Outcome(error.code().name, b"", dict(error.trailing_metadata()).get("grpc-status-details-bin", b""))


READING = [way for way in WAYS if way != "change"]


@pytest.mark.parametrize("compression", ["identity", "gzip"])
def test_answers_are_the_same(caller: JavaCaller, server: ServerProcess, calls: Calls, compression: str) -> None:
    calls.new_customer()
    asked = [Call(path_of(way), request(way), compression=compression) for way in READING] * 3
    outcomes = caller.outcomes(server.address, asked)
    assert outcomes == [in_python(server, call) for call in asked]
    assert {outcome.code for outcome in outcomes} == {"OK"}


@pytest.mark.parametrize("serialized", [b"", b"\xff", b"\x0a\x01 "], ids=["empty", "no protobuf", "a space"])
def test_refusals_are_the_same(caller: JavaCaller, server: ServerProcess, serialized: bytes) -> None:
    asked = [Call(path_of(way), serialized) for way in WAYS]
    asked.append(Call("/frostgate.v1.PolicyDecisionService/Unknown", serialized))
    assert caller.outcomes(server.address, asked) == [in_python(server, call) for call in asked]


def test_the_largest_request_and_one_that_is_too_large(caller: JavaCaller, server: ServerProcess) -> None:
    asked = [Call(path_of(way), bytes(size)) for way in WAYS for size in (512 * 1024, 512 * 1024 + 1)]
    outcomes = caller.outcomes(server.address, asked)
    assert outcomes == [in_python(server, call) for call in asked]
    assert {outcome.code for outcome in outcomes[1::2]} == {"RESOURCE_EXHAUSTED"}


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server whose changes can be blocked."""
    with ServerProcess(tmp_path / "frostgate.db", "--workers", "1", variables=PATIENT_STORE) as process:
        yield process


def test_a_change_that_expires_while_it_waits_is_not_made(caller: JavaCaller, own_server: ServerProcess) -> None:
    before = Calls(own_server).associate(customer_id="before").revision
    with blocked(own_server) as blocker:
        [outcome] = caller.outcomes(own_server.address, [Call(path_of("change"), request("change"), timeout=500)])
        assert outcome == Outcome("DEADLINE_EXCEEDED", b"", b"")
        blocker.execute("ROLLBACK")
    [made] = caller.outcomes(own_server.address, [Call(path_of("change"), request("change"))])
    assert made.code == "OK"
    assert Calls(own_server).associate(customer_id="after").revision == before + 2
