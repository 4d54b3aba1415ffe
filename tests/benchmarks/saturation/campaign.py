"""The order of a campaign: first the callers that saturate a server, then five and twenty times as many."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from time import time
from typing import Any

from benchmarks import load_program
from benchmarks.comparison.builds import Build
from benchmarks.comparison.customers import add_customers
from benchmarks.figures import Run
from benchmarks.load_program import CONNECTIONS, Load
from benchmarks.saturation.observer import Observer, normal_limit, p99
from benchmarks.saturation.processes import process_tree
from benchmarks.scenarios import Calls
from benchmarks.servers import CannotMeasure, Check, Running, checks_that_exist, running

TIMES = (1, 5, 20)
"""As many callers as saturate the server, and so many times more."""

CLOSED, OPEN = "closed", "open"
"""A caller of a closed loop calls again when it is answered, or when a refusal says that it may. One of an open loop
calls as often as the callers of the peak did, whatever the answers are, but has one call under way at a time."""

LOOPS = (CLOSED, OPEN)

CUSTOMERS = 1_000

DEADLINE = 0.25
"""Seconds that an answer may take."""

_SATURATING = (8, 16, 32, 64, 128)
_GAIN = 1.05
"""More callers are tried as long as each doubling answers so many times more."""

_CALLERS_OF_A_CONNECTION = 64
_PROBES_BEFORE = 50
_LONGEST_RETURN = 15.0
"""Seconds after a load in which the server must be back to normal to be measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds, seconds of each run that do not count and that do, and the loops."""

    rounds: int
    warmup: float
    seconds: float
    loops: tuple[str, ...] = LOOPS


class Campaign:
    """Measures one build under more and more load. One server runs for all of it, as in a long overload."""

    def __init__(self, program: Path, directory: Path, log: Path, plan: Plan) -> None:
        """Takes the load program, and a directory for the database."""
        self._program = program
        self._database = directory / "frostgate.db"
        self._log = log
        self._plan = plan

    def measure(self, build: Build) -> dict[str, Any]:
        """All runs, and the peak that they are compared with. Raises CannotMeasure."""
        with running([*build.command(self._database), "--create"], {}, self._log) as server:
            add_customers(server, CUSTOMERS)
            checks = checks_that_exist(server)
            searched = list(self._search(server, checks))
            callers, peak = saturating(searched)
            print(f"{callers} callers saturate the server: {peak:,.0f} checks/s in time", flush=True)
            runs = [
                self._run(server, checks, (loop, times, number), callers, peak)
                for number in range(1, self._plan.rounds + 1)
                for loop in self._plan.loops
                for times in TIMES
            ]
        return {"deadline": DEADLINE, "saturating_callers": callers, "peak": peak, "searched": searched, "runs": runs}

    def _search(self, server: Running, checks: list[Check]) -> Iterator[Run]:
        """More and more callers, until more of them get no more answers in time."""
        best = 0.0
        for callers in _SATURATING:
            told = self._load(server, checks, Calls("check", callers), heeds=True, seed=callers)
            reached = goodput(told)
            print(f"{callers} callers: {reached:,.0f} checks/s in time", flush=True)
            yield {"callers": callers, **told}
            if reached < _GAIN * best:
                return
            best = reached

    def _run(
        self, server: Running, checks: list[Check], what: tuple[str, int, int], saturating_callers: int, peak: float
    ) -> Run:
        loop, times, number = what
        calls = Calls("check", times * saturating_callers, rate=times * peak if loop == OPEN else 0.0)
        with Observer(server, checks[0], DEADLINE) as observer:
            before = observer.wait_for_probes(_PROBES_BEFORE)
            running_before = process_tree(server.pids[0])
            start = time()
            told = self._load(server, checks, calls, heeds=loop == CLOSED, seed=number)
            ended = told["ended_unix_ns"] / 1e9
            back = observer.wait_until_normal(ended, normal_limit(before), _LONGEST_RETURN)
            probes, held = observer.between(start, ended)
            _, held_before = observer.between(before[0].began, start)
        run = {
            "loop": loop,
            "times": times,
            "round": number,
            "callers": calls.callers,
            "rate": calls.rate,
            "memory_before_bytes": max(held_before),
            "memory_peak_bytes": max(held, default=max(held_before)),
            "back_to_normal_seconds": back,
            "workers_lost": len({*running_before} - {*process_tree(server.pids[0])}),
            "probes": {"before_p99_seconds": p99(before), **_count(probes)},
            **told,
        }
        print(f"{loop} loop, {times} times, round {number}: {goodput(run):,.0f} checks/s in time", flush=True)
        return run

    def _load(self, server: Running, checks: list[Check], calls: Calls, *, heeds: bool, seed: int) -> dict[str, Any]:
        connections = max(CONNECTIONS, ceil(calls.callers / _CALLERS_OF_A_CONNECTION))
        flags = [f"-deadline={DEADLINE}s", f"-connections={connections}", f"-heed-retry-info={str(heeds).lower()}"]
        load = Load(CUSTOMERS, checks, calls, None, self._plan.warmup, self._plan.seconds, seed, flags)
        as_now = Running(server.address, process_tree(server.pids[0]))
        return load_program.outcome(self._program, as_now, load)


def goodput(run: Run) -> float:
    """Checks answered OK before their deadline, in a second."""
    return float(run["measured"].get("in_time", 0)) / float(run["seconds"])


def saturating(searched: list[Run]) -> tuple[int, float]:
    """The fewest callers with whom nearly as much is answered in time as with any, and how much that is a second."""
    peak = max(map(goodput, searched))
    if not peak:
        raise CannotMeasure("the server answers no check in time, whatever the load is")
    return next((int(run["callers"]), goodput(run)) for run in searched if goodput(run) * _GAIN >= peak)


def _count(probes: list[Any]) -> dict[str, Any]:
    statuses: dict[str, int] = {}
    for probe in probes:
        statuses[probe.status] = statuses.get(probe.status, 0) + 1
    return {"statuses": statuses, "p99_seconds": p99(probes)}
