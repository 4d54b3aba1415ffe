"""The runs of a comparison: each with new server processes, on a copy of the side's own database."""

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from benchmarks import load_program
from benchmarks.comparison.builds import Build
from benchmarks.comparison.customers import add_customers
from benchmarks.comparison.options import KINDS
from benchmarks.comparison.pairs import Measure, PairPlan, ensure_answered, measure_pairs
from benchmarks.figures import Run, cpu_us, rate
from benchmarks.load_program import Load
from benchmarks.rounds import copied
from benchmarks.scenarios import Calls
from benchmarks.servers import CannotMeasure, Check, checks_that_exist, running

CUSTOMERS = 1_000

WARMUP = 2.0
"""Seconds of each run that do not count. The worker in reserve loads meanwhile."""

_KEPT = ("statuses", "items", "latency_p50_ns", "latency_p99_ns", "latency_max_ns")
"""Of the outcome of the load, what a raw result says about the calls."""


@dataclass(frozen=True, slots=True)
class Side:
    """A build, and a database that its server made."""

    name: str
    build: Build
    database: Path


class Comparison:
    """Measures two builds under the same load. Its files are in a directory that is removed later."""

    def __init__(self, program: Path, directory: Path, log: Path, seconds: float) -> None:
        """Takes the load program, and the seconds that count of each run."""
        self._program = program
        self._directory = directory
        self._log = log
        self._seconds = seconds

    def scenarios(self, head: Build, base: Build, options: argparse.Namespace) -> Iterable[dict[str, Any]]:
        """Every scenario, as soon as it is measured. Raises CannotMeasure."""
        first, first_checks = self._prepare("HEAD", head)
        second, second_checks = self._prepare("BASE", base)
        checks = sorted(set(first_checks) & set(second_checks))
        plan = PairPlan(options.pairs, options.aa_pairs, options.bars)
        for kind in KINDS[options.calls]:
            for callers in options.callers:
                print(f"{kind}s, {callers} at once", flush=True)
                measure: Measure[Side] = partial(self._measure, checks, Calls(kind, callers))
                yield {"kind": kind, "callers": callers, **measure_pairs(measure, first, second, plan)}

    def _prepare(self, name: str, build: Build) -> tuple[Side, list[Check]]:
        """Has a build fill a database, and gives what can be checked."""
        side = Side(name, build, self._directory / name / "frostgate.db")
        side.database.parent.mkdir()
        try:
            with running([*build.command(side.database), "--create"], {}, self._log) as server:
                add_customers(server, CUSTOMERS)
                return side, checks_that_exist(server)
        except grpc.RpcError as error:
            raise CannotMeasure(f"the server of {name} adds no customers: {error}") from error

    def _measure(self, checks: list[Check], calls: Calls, side: Side, seed: int) -> Run:
        load = Load(CUSTOMERS, checks, calls, None, WARMUP, self._seconds, seed)
        with tempfile.TemporaryDirectory(dir=self._directory) as directory:
            database = copied(side.database, Path(directory))
            with running(side.build.command(database), {}, self._log) as server:
                told = load_program.outcome(self._program, server, load)
        ensure_answered(calls, told)
        run = told | {"processes": len(server.pids), "measured": {name: told["measured"][name] for name in _KEPT}}
        print(f"  {side.name}: {rate(run):,.0f} calls/s, {cpu_us(run):,.0f} µs of CPU per call", flush=True)
        return run
