"""The wheels: built, installed into empty environments, and used there."""

import json
import re
import sys
import venv
from pathlib import Path

import pytest
from frostgate.v1.customer_freeze_service_pb2 import ListFreezeEventsRequest
from support.distributions import build_distributions
from support.processes import PATIENCE, Process, output, run
from support.runner.built_once import built_once
from support.runner.sizes import members
from support.server_process import Connection, ServerProcess

ROOT = Path(__file__).parent.parent.parent
DOCUMENTED_ADDRESS = "127.0.0.1:50051"
CLIENT_NEEDS = {"grpcio", "protobuf", "googleapis-common-protos"}

pytestmark = pytest.mark.timeout(900)

INSTALLING = 300
"""Seconds that pip may take."""


def lower_bounds() -> list[str]:
    """The oldest versions that the client says it works with."""
    bounds = re.findall(r'"([a-z-]+)>=([0-9.]+)', (ROOT / "client" / "pyproject.toml").read_text())
    found = [f"{name}=={version}" for name, version in bounds if name in CLIENT_NEEDS]
    assert len(found) == len(CLIENT_NEEDS)
    return found


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels, by the name of their distribution."""
    out = built_once(tmp_path_factory, "distributions", build_distributions)
    return {wheel.name.split("-")[0].replace("_", "-"): wheel for wheel in out.glob("*.whl")}


def install(directory: Path, *packages: str | Path) -> None:
    """Makes an environment with nothing but the packages and what they pull in."""
    venv.create(directory)
    pip(directory / "bin" / "python", "install", "--quiet", "--no-compile", *packages)


def pip(python: Path, *arguments: str | Path) -> str:
    """Runs this environment's pip for another one, which needs none of its own."""
    command: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    return output(*command, *arguments, timeout=INSTALLING)


def installed(python: Path) -> dict[str, str]:
    listed = json.loads(pip(python, "list", "--format", "json"))
    return {package["name"].lower().replace("_", "-"): package["version"] for package in listed}


@pytest.fixture(scope="module")
def client_python(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the client alone, and what it pulls in today."""
    client = wheels["frostgate-client"]
    return built_once(tmp_path_factory, "client", lambda made: install(made, client)) / "bin" / "python"


@pytest.fixture(scope="module")
def oldest_python(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the client, and the oldest of all that it needs."""
    packages: list[str | Path] = [wheels["frostgate-client"], *lower_bounds()]
    python = built_once(tmp_path_factory, "oldest", lambda made: install(made, *packages)) / "bin" / "python"
    versions = installed(python)
    assert {f"{name}=={versions[name]}" for name in CLIENT_NEEDS} == set(lower_bounds())
    return python


def test_the_clients_wheel_pulls_in_nothing_of_the_server(client_python: Path) -> None:
    assert set(installed(client_python)) - {"typing-extensions"} == CLIENT_NEEDS | {"frostgate-client"}


def examples() -> list[str]:
    """The Python blocks of the client's README, and what they say they print."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "client" / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("environment_name", members(["client_python", "oldest_python"], short=["client_python"]))
def test_the_readmes_examples_work_with_the_wheel_alone(
    request: pytest.FixtureRequest, environment_name: str, tmp_path: Path
) -> None:
    python: Path = request.getfixturevalue(environment_name)
    shown = (ROOT / "client" / "README.md").read_text().split("```text\n")[1].split("```")[0]
    assert len(examples()) == 2
    with ServerProcess(tmp_path / "frostgate.db") as server:
        for example in examples():
            assert shown == output(python, "-c", example.replace(DOCUMENTED_ADDRESS, server.address))


def test_users_of_the_client_are_clean_under_strict_mypy(client_python: Path, tmp_path: Path) -> None:
    for number, example in enumerate(examples()):
        (tmp_path / f"example_{number}.py").write_text(example)
    strictly: list[str | Path] = ["-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache")]
    output(sys.executable, *strictly, "--python-executable", client_python, *sorted(tmp_path.glob("example_*.py")))


def test_strict_mypy_sees_the_clients_types(client_python: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text('import frostgate\n\nfrostgate.Client("a").get_customer(customer_id=1)\n')
    strictly = [sys.executable, "-m", "mypy", "--strict", "--config-file", ""]
    command = [*strictly, "--python-executable", str(client_python), str(wrong)]
    assert 'has incompatible type "int"; expected "str"' in run(*command, cwd=tmp_path).stdout


def test_the_servers_wheel_serves_in_an_environment_of_its_own(wheels: dict[str, Path], tmp_path: Path) -> None:
    install(tmp_path / "server", wheels["frostgate-client"], wheels["frostgate-server"])
    program = tmp_path / "server" / "bin" / "frostgate-server"
    assert "policy version" in output(program, "rules").lower()
    command: list[str | Path] = [
        program,
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--create",
        "--workers=1",
        "--database",
        tmp_path / "f.db",
    ]
    with Process(command) as process:
        address = process.next_line().split(": ")[0].removeprefix("frostgate-server is ready on ")
        with Connection(address) as connection:
            request = ListFreezeEventsRequest()
            assert list(connection.freezes.ListFreezeEvents(request, timeout=PATIENCE).events) == []
        assert process.terminated() == 0
