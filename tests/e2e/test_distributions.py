"""The wheels: built, installed into empty environments, and used there."""

import json
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from frostgate.v1.customer_freeze_service_pb2 import ListFreezeEventsRequest
from support.server_process import Connection, ServerProcess, environment

ROOT = Path(__file__).parent.parent.parent
DOCUMENTED_ADDRESS = "127.0.0.1:50051"
CLIENT_NEEDS = {"grpcio", "protobuf", "googleapis-common-protos"}

pytestmark = pytest.mark.timeout(600)


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=300, env=environment(), check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def lower_bounds() -> list[str]:
    """The oldest versions that the client says it works with."""
    bounds = re.findall(r'"([a-z-]+)>=([0-9.]+)', (ROOT / "client" / "pyproject.toml").read_text())
    found = [f"{name}=={version}" for name, version in bounds if name in CLIENT_NEEDS]
    assert len(found) == len(CLIENT_NEEDS)
    return found


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels, by the name of their distribution."""
    out = tmp_path_factory.mktemp("wheels")
    for project in (ROOT / "client", ROOT):
        run(sys.executable, "-m", "build", "--wheel", "--outdir", out, project)
    return {wheel.name.split("-")[0].replace("_", "-"): wheel for wheel in out.glob("*.whl")}


def empty_environment(directory: Path, *install: str | Path) -> Path:
    """An environment with nothing but what is installed and what that pulls in. Gives its Python."""
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *install)
    return python


@pytest.fixture(scope="module")
def client_python(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the client alone, and what it pulls in today."""
    return empty_environment(tmp_path_factory.mktemp("client"), wheels["frostgate-client"])


@pytest.fixture(scope="module")
def oldest_python(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the client, and the oldest of all that it needs."""
    return empty_environment(tmp_path_factory.mktemp("oldest"), wheels["frostgate-client"], *lower_bounds())


def installed(python: Path) -> dict[str, str]:
    listed = json.loads(run(python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"))
    return {package["name"].lower().replace("_", "-"): package["version"] for package in listed}


def test_the_clients_wheel_pulls_in_nothing_of_the_server(client_python: Path) -> None:
    indirect = {"typing-extensions", "pip", "setuptools"}
    assert set(installed(client_python)) - indirect == CLIENT_NEEDS | {"frostgate-client"}


def test_the_oldest_environment_has_the_oldest_versions(oldest_python: Path) -> None:
    versions = installed(oldest_python)
    assert {f"{name}=={versions[name]}" for name in CLIENT_NEEDS} == set(lower_bounds())


def examples() -> list[str]:
    """The Python blocks of the client's README, and what they say they print."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "client" / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("environment_name", ["client_python", "oldest_python"])
def test_the_readmes_examples_work_with_the_wheel_alone(
    request: pytest.FixtureRequest, environment_name: str, tmp_path: Path
) -> None:
    python: Path = request.getfixturevalue(environment_name)
    shown = (ROOT / "client" / "README.md").read_text().split("```text\n")[1].split("```")[0]
    assert len(examples()) == 2
    with ServerProcess(tmp_path / "frostgate.db") as server:
        for example in examples():
            assert shown == run(python, "-c", example.replace(DOCUMENTED_ADDRESS, server.address))


def test_users_of_the_client_are_clean_under_strict_mypy(client_python: Path, tmp_path: Path) -> None:
    for number, example in enumerate(examples()):
        (tmp_path / f"example_{number}.py").write_text(example)
    strictly: list[str | Path] = ["-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache")]
    run(sys.executable, *strictly, "--python-executable", client_python, *sorted(tmp_path.glob("example_*.py")))


def test_strict_mypy_sees_the_clients_types(client_python: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text('import frostgate\n\nfrostgate.Client("a").get_customer(customer_id=1)\n')
    strictly = [sys.executable, "-m", "mypy", "--strict", "--config-file", ""]
    command = [*strictly, "--python-executable", str(client_python), str(wrong)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    assert 'has incompatible type "int"; expected "str"' in done.stdout


def test_the_servers_wheel_serves_in_an_environment_of_its_own(wheels: dict[str, Path], tmp_path: Path) -> None:
    python = empty_environment(tmp_path / "server", wheels["frostgate-client"], wheels["frostgate-server"])
    assert "policy version" in run(python.parent / "frostgate-server", "rules").lower()
    command = [str(python.parent / "frostgate-server"), "serve", "--listen", "127.0.0.1:0", "--create"]
    with subprocess.Popen(
        [*command, "--database", f"{tmp_path}/f.db"], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split(": ")[0].removeprefix("frostgate-server is ready on ")
        with Connection(address) as connection:
            assert list(connection.freezes.ListFreezeEvents(ListFreezeEventsRequest(), timeout=10).events) == []
        process.terminate()
        process.stdout.read()
    assert process.returncode == 0
