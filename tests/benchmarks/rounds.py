"""The order of a measurement.

A round measures the runs of a scenario one right after the other. Every second round goes backwards, so that none is
always the first.
"""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from . import load_program, scenarios
from .identified import WORKERS, Papers
from .load_program import Load
from .peers.peer_file import Peer
from .scenarios import CALLERS, IDENTIFIED_CALLERS, Calls, Entry, Known, Scenario
from .servers import Running, checks_that_exist, running, typical_answer
from .subjects import ECHOES, THREADS, Echo, Frostgate, GoEcho, Subject

Run = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds, and seconds of each run that do not count and that do."""

    rounds: int
    warmup: float
    seconds: float


class Measurement:
    """Measures scenario by scenario, and keeps every run."""

    def __init__(self, program: Path, databases: Mapping[int, Path], plan: Plan, log: Path) -> None:
        """Takes the load, and databases by their number of customers."""
        self._program = program
        self._databases = databases
        self._plan = plan
        self._log = log
        with running(Frostgate(min(databases)).command(databases[min(databases)]), {}, log) as server:
            self._checks = checks_that_exist(server)
            self._answer = typical_answer(server, self._checks)
        self.runs: list[Run] = []

    def everything(self) -> dict[str, Any]:
        """All runs, and what they have in common. Raises CannotMeasure."""
        sizes = sorted(self._databases)
        starts = [self._start(size) for _ in range(self._plan.rounds) for size in sizes]
        best = self._checks_beside_echoes(sizes, [])
        most = max(CALLERS)
        known = Known(best[most], self._rate(f"checks, {most} at once", Frostgate(sizes[0]).name))
        for scenario in scenarios.after(sizes):
            self._measure(scenario(known))
        return self._about() | {"starts": starts, "runs": self.runs}

    def beside_peers(self, peers: list[Peer]) -> dict[str, Any]:
        """The checks, and what peers do in the same rounds. Raises CannotMeasure."""
        for peer in peers:
            peer.running()
        self._checks_beside_echoes([min(self._databases)], peers)
        return self._about() | {"peers": [peer.describe() for peer in peers], "runs": self.runs}

    def identities(self, papers: Papers) -> dict[str, Any]:
        """All runs of the scenarios of identities, and what they have in common. Raises CannotMeasure."""
        for callers in IDENTIFIED_CALLERS:
            self._measure(scenarios.identities(min(self._databases), callers), papers)
        return {"workers": WORKERS, "tokens": papers.tokens, "checks": len(self._checks), "runs": self.runs}

    def _about(self) -> dict[str, Any]:
        """The facts that runs beside echoes have in common."""
        return {"threads": THREADS, "checks": len(self._checks), "echo_answer_bytes": len(self._answer)}

    def _checks_beside_echoes(self, sizes: list[int], peers: list[Peer]) -> dict[int, Echo]:
        """Measures the checks, beside the best echo for each number of callers. Gives the best echoes."""
        best = {callers: self._best_echo(callers) for callers in CALLERS}
        for callers, echo in best.items():
            echoes: list[Echo | GoEcho] = [echo, GoEcho(load_program.go_echo(self._program))]
            self._measure(scenarios.checks(sizes, echoes, callers, peers))
        return best

    def _best_echo(self, callers: int) -> Echo:
        scenario = scenarios.yardstick(callers)
        self._measure(scenario)
        return max(ECHOES, key=lambda echo: self._rate(scenario.name, echo.name))

    def _rate(self, scenario: str, subject: str) -> float:
        """The median of the calls that were answered OK in a second."""
        runs = [run for run in self.runs if (run["scenario"], run["subject"]) == (scenario, subject)]
        return float(median(run["measured"]["statuses"].get("OK", 0) / run["seconds"] for run in runs))

    def _start(self, size: int) -> dict[str, Any]:
        """How long a server takes from its command to its readiness."""
        _bring_into_memory(self._databases[size])
        began = monotonic()
        with running(Frostgate(size).command(self._databases[size]), {}, self._log) as server:
            took = monotonic() - began
            print(f"start with {size:,} customers: {took:.2f} s", flush=True)
            return {"customers": size, "seconds": took, "processes": len(server.pids)}

    def _measure(self, scenario: Scenario, papers: Papers | None = None) -> None:
        for number in range(1, self._plan.rounds + 1):
            for entry in scenario.entries if number % 2 else reversed(scenario.entries):
                self.runs.append(self._run(scenario.name, number, entry, papers))
                print(_shown(self.runs[-1]), flush=True)

    def _run(self, scenario: str, number: int, entry: Entry, papers: Papers | None) -> Run:
        subject = entry.subject
        customers = subject.customers if isinstance(subject, Frostgate) else max(self._databases)
        load = Load(customers, self._checks, entry.calls, entry.beside, self._plan.warmup, self._plan.seconds, number)
        more: list[str] = []
        if papers and isinstance(subject, Frostgate) and subject.way:
            more, load = papers.of_server(subject.way), replace(load, shown=papers.of_callers(subject.way))
        with ExitStack() as stack:
            if isinstance(subject, Peer):
                load = replace(load, shown=[f"-peer={self._calls_of(subject, stack)}"])
            told = load_program.outcome(self._program, self._server(subject, more, stack), load)
        return {
            "scenario": scenario,
            "round": number,
            "subject": subject.name,
            "customers": customers if isinstance(subject, Frostgate) else None,
            "calls": asdict(entry.calls),
            "beside_calls": asdict(entry.beside) if entry.beside else None,
            "wrong": wrong(entry.calls, told),
            **told,
        }

    def _server(self, subject: Subject, more: list[str], stack: ExitStack) -> Running:
        """A new server, or that of a peer, which runs already."""
        if isinstance(subject, Peer):
            return subject.running()
        if isinstance(subject, Frostgate):
            command = [*subject.command(self._database(subject, stack)), *more]
            return stack.enter_context(running(command, subject.variables(), self._log))
        return stack.enter_context(running(subject.command(self._answer), {}, self._log))

    def _calls_of(self, peer: Peer, stack: ExitStack) -> Path:
        file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "calls.json"
        peer.write_calls(file)
        return file

    def _database(self, subject: Frostgate, stack: ExitStack) -> Path:
        database = self._databases[subject.customers]
        _bring_into_memory(database)
        if not subject.own:
            return database
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=database.parent.parent)))
        return copied(database, directory)


def copied(database: Path, directory: Path) -> Path:
    """A copy of a database that nobody serves, with the files beside it."""
    for file in database.parent.glob(f"{database.name}*"):
        shutil.copy(file, directory)
    return directory / database.name


def _bring_into_memory(database: Path) -> None:
    """Has the system's cache hold the file: what it dropped since the last run would be read from the disk."""
    with database.open("rb") as file:
        while file.read(1 << 20):
            pass


def wrong(calls: Calls, told: dict[str, Any]) -> int:
    """Calls that were not answered OK, or a check not with a decision on a customer that exists."""
    measured = told["measured"]
    groups = [measured, told["beside"]] if "beside" in told else [measured]
    failed = sum(count for group in groups for status, count in group["statuses"].items() if status != "OK")
    undecided = measured["decisions"].get("DECISION_UNSPECIFIED", 0) if calls.kind in {"check", "batch"} else 0
    unknown = measured["reasons"].get("DECISION_REASON_CUSTOMER_UNKNOWN", 0)
    return int(failed + undecided + unknown)


def _shown(run: Run) -> str:
    rate = run["measured"]["statuses"].get("OK", 0) / run["seconds"]
    p99 = run["measured"]["latency_p99_ns"] / 1e6
    beside = f" beside {run['beside_calls']['kind']}" if run["beside_calls"] else ""
    what = f"{run['scenario']}, round {run['round']}: {run['subject']}, {run['calls']['kind']}{beside}"
    return f"{what:<80} {rate:>8,.0f} calls/s, p99 {p99:.2f} ms"
