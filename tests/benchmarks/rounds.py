"""The order of a measurement.

A round measures the echo and then the server with each size of table, one right after the other, so that what else the
machine does meets all of them alike. Sizes change places from round to round: neither is always nearer to the echo.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import load_program
from .load_program import Load
from .servers import THREADS, checks_that_exist, echo_command, frostgate_command, running, typical_answer

ECHO = "echo"
FROSTGATE = "frostgate"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `callers` are numbers of callers, each with rounds of its own."""

    pairs: int
    callers: list[int]
    connections: int
    warmup: float
    seconds: float


@dataclass(frozen=True, slots=True)
class _Subject:
    """A server to measure. The echo has no database, and so no customers."""

    name: str
    command: list[str]
    database: Path | None = None
    customers: int | None = None


def measured(program: Path, databases: Mapping[int, Path], plan: Plan, log: Path) -> dict[str, Any]:
    """All runs of a plan, and what they had in common. Raises CannotMeasure."""
    largest = max(databases)
    with running(frostgate_command(databases[largest]), log) as server:
        checks = checks_that_exist(server)
        answer = typical_answer(server, checks)
    echo = _Subject(ECHO, echo_command(answer))
    tables = [_Subject(FROSTGATE, frostgate_command(path), path, size) for size, path in sorted(databases.items())]
    runs = []
    for callers, number, subject in _order(plan, echo, tables):
        if subject.database is not None:
            _bring_into_memory(subject.database)
        customers = subject.customers or largest
        load = Load(customers, checks, callers, plan.connections, plan.warmup, plan.seconds, seed=number)
        with running(subject.command, log) as server:
            told = load_program.outcome(program, server, load)
        runs.append(_run(subject, callers, number, told))
        print(_shown(runs[-1]), flush=True)
    return {"threads": THREADS, "checks": len(checks), "echo_answer_bytes": len(answer), "runs": runs}


def _order(plan: Plan, echo: _Subject, tables: list[_Subject]) -> Iterator[tuple[int, int, _Subject]]:
    for callers in plan.callers:
        for number in range(1, plan.pairs + 1):
            yield callers, number, echo
            for table in tables if number % 2 else reversed(tables):
                yield callers, number, table


def _bring_into_memory(database: Path) -> None:
    """Has the system's cache hold the file: what it dropped since the last run would be read from the disk."""
    with database.open("rb") as file:
        while file.read(1 << 20):
            pass


def _run(subject: _Subject, callers: int, number: int, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "server": subject.name,
        "customers": subject.customers,
        "callers": callers,
        "round": number,
        "wrong": _wrong(told),
        **told,
    }


def _wrong(told: dict[str, Any]) -> int:
    """Calls that were not answered OK, or not with a decision on a customer that exists."""
    failed = sum(count for status, count in told["statuses"].items() if status != "OK")
    undecided = told["decisions"].get("DECISION_UNSPECIFIED", 0)
    unknown = told["reasons"].get("DECISION_REASON_CUSTOMER_UNKNOWN", 0)
    return int(failed + undecided + unknown)


def _shown(run: dict[str, Any]) -> str:
    name = run["server"] if run["customers"] is None else f"{run['server']} {run['customers']:,}"
    rate = run["statuses"].get("OK", 0) / run["seconds"]
    p99 = run["latency_p99_ns"] / 1e6
    return f"callers {run['callers']:>3}, round {run['round']}: {name:<20} {rate:>8,.0f} calls/s, p99 {p99:.2f} ms"
