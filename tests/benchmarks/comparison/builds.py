"""Builds to compare: this one, and that of a commit, which has an environment of its own."""

import json
import shutil
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError, TimeoutExpired
from typing import Any

from benchmarks import machine
from benchmarks.servers import CannotMeasure
from benchmarks.subjects import serve
from support.processes import run

_INSTALLING = 600.0
"""Seconds that the installation of a build may take."""

_VERSIONS = """
import json, platform
from importlib.metadata import version
names = ["frostgate-server", "grpcio", "protobuf", "cryptography"]
print(json.dumps({"python": platform.python_version()} | {name: version(name) for name in names}))
"""

_STDERR = 2


@dataclass(frozen=True, slots=True)
class Build:
    """A frostgate that is installed for a Python, and more arguments for its server."""

    commit: str
    python: Path
    arguments: Sequence[str]

    def command(self, database: Path) -> list[str]:
        """How to start its server."""
        return [*serve(self.python, database), *self.arguments]

    def describe(self) -> dict[str, Any]:
        """What a raw result says about it."""
        ended = run(self.python, "-c", _VERSIONS, stderr=_STDERR)
        if ended.returncode:
            raise CannotMeasure(f"{self.python} has no frostgate-server")
        return {"commit": self.commit, "arguments": list(self.arguments), "versions": json.loads(ended.stdout)}


def head_build(arguments: Sequence[str]) -> Build:
    """The build of the working tree."""
    return Build(machine.commit(), Path(sys.executable), arguments)


def commit_build(name: str, cache: Path, arguments: Sequence[str]) -> Build:
    """The build of a commit. It is made from the commit's own constraints, and kept. Raises CannotMeasure."""
    try:
        commit = machine.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except CalledProcessError as error:
        raise CannotMeasure(f"{name} is no commit") from error
    directory = cache / commit
    complete = directory / ".complete"
    if not complete.exists():
        shutil.rmtree(directory, ignore_errors=True)
        print(f"Building {commit[:9]} …", flush=True)
        _extract(commit, directory)
        _install(directory)
        complete.touch()
    return Build(commit, _python(directory), arguments)


def _extract(commit: str, directory: Path) -> None:
    """Writes the files of a commit."""
    directory.mkdir(parents=True)
    packed = directory / "commit.tar"
    machine.git("archive", "--format=tar", f"--output={packed}", commit)
    with tarfile.open(packed) as files:
        files.extractall(directory, filter="data")
    packed.unlink()


def _install(directory: Path) -> None:
    _run(directory, sys.executable, "-m", "venv", ".venv")
    pip = [str(_python(directory)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(directory, *pip, "--constraint", "constraints.txt", "-e", "./client", "-e", ".")


def _run(directory: Path, *command: str) -> None:
    try:
        status = run(*command, cwd=directory, stderr=_STDERR, timeout=_INSTALLING).returncode
    except TimeoutExpired as error:
        raise CannotMeasure(f"the build of BASE took longer than {_INSTALLING:.0f} s") from error
    if status:
        raise CannotMeasure(f"BASE cannot be built: `{' '.join(command)}` failed in {directory}")


def _python(directory: Path) -> Path:
    return directory / ".venv" / "bin" / "python"
