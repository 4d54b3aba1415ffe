"""The load: a compiled program, so that the servers, and not their caller, are what is measured."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from frostgate.v1.policy_pb2 import Decision, DecisionReason
from support.processes import PATIENCE, output, run

from .fill import ID_FORMAT
from .scenarios import Calls
from .servers import CannotMeasure, Check, Running

_SOURCE = Path(__file__).with_name("load")
_STDERR = 2
"""The programs write their errors where this process writes its own."""

_BUILDING = 240.0
"""Seconds that the build may take: less than the timeout of a test."""

CONNECTIONS = 16
"""That callers of a kind share, at most one each."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a server, and for how many seconds."""

    customers: int
    checks: list[Check]
    calls: Calls
    beside: Calls | None
    warmup: float
    seconds: float
    seed: int
    shown: Sequence[str] = ()
    """Flags that say what callers show of themselves, and what they hold the server against."""

    def flags(self) -> list[str]:
        """The program's flags."""
        values = {
            "ids": ID_FORMAT,
            "customers": self.customers,
            "checks": ",".join(f"{mode}:{operation}" for mode, operation in self.checks),
            "connections": CONNECTIONS,
            "warmup": f"{self.warmup}s",
            "duration": f"{self.seconds}s",
            "seed": self.seed,
            **asdict(self.calls),
            **{f"beside-{name}": value for name, value in (asdict(self.beside) if self.beside else {}).items()},
        }
        return [*(f"-{name}={value}" for name, value in values.items()), *self.shown]


def built(cache: Path) -> Path:
    """Builds the program, and the bare server in Go beside it. Raises CannotMeasure."""
    if shutil.which("go") is None:
        raise CannotMeasure("the load is a Go program, and there is no `go` on the PATH: install Go 1.26 or later")
    build = ["go", "build", "-buildvcs=false", "-o", f"{cache}/", ".", "./echo"]
    if run(*build, cwd=_SOURCE, stderr=_STDERR, timeout=_BUILDING).returncode:
        raise CannotMeasure("the load cannot be built: see what `go build` says above")
    return cache / "load"


def go_echo(program: Path) -> Path:
    """The bare server in Go that was built with the program."""
    return program.with_name("echo")


def go_version() -> str:
    """Such as go1.26.8."""
    return output("go", "env", "GOVERSION", cwd=_SOURCE).strip()


def outcome(program: Path, server: Running, load: Load) -> dict[str, Any]:
    """Puts the load on a server, and gives what the program tells, with words for numbers. Raises CannotMeasure."""
    pids = [f"-server-pids={','.join(map(str, server.pids))}"] if server.pids else []
    command = [str(program), f"-target={server.address}", *pids, *load.flags()]
    ended = run(*command, stderr=_STDERR, timeout=load.warmup + load.seconds + PATIENCE)
    if ended.returncode:
        raise CannotMeasure("the load failed: see what it says above")
    told: dict[str, Any] = json.loads(ended.stdout)
    for group in ("measured", "beside"):
        if group in told:
            told[group]["decisions"] = _named(Decision.Name, told[group]["decisions"])
            told[group]["reasons"] = _named(DecisionReason.Name, told[group]["reasons"])
    return told


def _named(name: Callable[[Any], str], counts: Mapping[str, int]) -> dict[str, int]:
    return {name(int(number)): count for number, count in counts.items()}
