"""`make campaign-memory`: whether the memory of a worker grows with the checks that it answers.

Each way of dispatch gets a server with one worker and the same load. What a worker takes after the first checks, while
its buffers and caches fill, is left out: the growth counts from there. Writes a raw result.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import load_program, machine
from benchmarks.fill import filled_database
from benchmarks.load_program import Load
from benchmarks.pages import raw_results
from benchmarks.rounds import copied
from benchmarks.scenarios import Calls
from benchmarks.servers import CannotMeasure, Running, checks_that_exist, running
from benchmarks.subjects import Frostgate

_CACHE = Path(__file__).parent.parent.parent / "build" / "bench"
_CUSTOMERS = 1000
_CALLERS = 64
_ROUND_SECONDS = 5.0
DISPATCHES = ("loop", "grpcio")
"""The second is the control: grpcio's own server."""

MOST_GROWTH = 4 * 2**20
"""Bytes by which a worker may grow between the first checks and the last: four or five a check. As much comes and goes
with what the allocator keeps free."""

_POINTS = 5
"""Of the median at either end: single ones are up to 2 MB apart."""


def main() -> int:
    """Gives the exit status: 0 if the memory of the loop's worker did not grow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checks", type=int, default=1_000_000, help="answered by each worker, at least")
    parser.add_argument("--first", type=int, default=100_000, help="after which the growth counts")
    options = parser.parse_args()
    _CACHE.mkdir(parents=True, exist_ok=True)
    try:
        program = load_program.built(_CACHE)
        measured = {name: _measured(program, name, options.checks) for name in DISPATCHES}
    except CannotMeasure as error:
        print(f"make campaign-memory: {error}", file=sys.stderr)
        return 1
    growths = {name: growth(points, options.first) for name, points in measured.items()}
    result = machine.metadata() | {"callers": _CALLERS, "resident_bytes": measured, "growth_bytes": growths}
    raw_results.save(raw_results.path("memory-", result), result)
    for name, points in measured.items():
        (_, start), (checks, end) = points[0], points[-1]
        print(f"{name}: {checks:,} checks, {start:,} → {end:,} bytes, {growths[name]:+,} after {options.first:,}")
    return 0 if growths["loop"] <= MOST_GROWTH else 1


def growth(points: list[tuple[int, int]], first: int) -> int:
    """The bytes by which the memory grew from the first points with at least so many checks to the last ones."""
    counted = [resident for checks, resident in points if checks >= first]
    return round(median(counted[-_POINTS:]) - median(counted[:_POINTS]))


def _measured(program: Path, dispatch: str, checks: int) -> list[tuple[int, int]]:
    """Checks answered, and bytes that the worker holds then: one point a round. Every check must be answered."""
    points: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory(dir=_CACHE) as directory:
        database = copied(filled_database(_CACHE, _CUSTOMERS), Path(directory))
        command = [*Frostgate(_CUSTOMERS).command(database), "--workers", "1", "--call-dispatch", dispatch]
        with running(command, {}, _CACHE / "servers.log") as server:
            asked = checks_that_exist(server)
            answered = 0
            while answered < checks:
                load = Load(_CUSTOMERS, asked, Calls("check", _CALLERS), None, 0.0, _ROUND_SECONDS, len(points))
                statuses = load_program.outcome(program, server, load)["measured"]["statuses"]
                if set(statuses) != {"OK"}:
                    raise CannotMeasure(f"not all checks were answered: {statuses}")
                answered += statuses["OK"]
                points.append((answered, _resident(server)))
                print(f"{dispatch}: {answered:,} checks, {points[-1][1]:,} bytes", flush=True)
    return points


def _resident(server: Running) -> int:
    """The bytes that the worker holds. The supervisor is far smaller."""
    sizes = [re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in server.pids]
    return max(int(size[1]) for size in sizes if size) * 1024


if __name__ == "__main__":
    sys.exit(main())
