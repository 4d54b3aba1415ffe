"""`make campaign-overload`: measures a server with the callers that saturate it, and with 5 and 20 times as many.

Writes a raw result, and prints the tables that are made of it. `overload.py --report FILE` prints them again.
"""

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import grpc
from benchmarks import load_program, machine
from benchmarks.comparison.builds import commit_build, head_build
from benchmarks.figures import Result
from benchmarks.pages import raw_results
from benchmarks.pages.overload import overload_bars, overload_tables
from benchmarks.saturation.campaign import LOOPS, Campaign, Plan
from benchmarks.servers import CannotMeasure, interrupt_on_signals

_CACHE = raw_results.ROOT / "build" / "overload"

ROUNDS, SECONDS = 3, 10.0
"""A campaign with fewer rounds or shorter runs is a trial: its raw result is not one to commit."""

_MOST_ROUNDS, _MOST_SECONDS = 20, 120.0


def main() -> int:
    """Gives the exit status: 0 if every bar is met, 1 if one is missed, or nothing can be measured."""
    options = _options()
    if options.report:
        result = json.loads(options.report.read_text("utf-8"))
    else:
        interrupt_on_signals()
        try:
            result = _measure(options)
        except (CannotMeasure, grpc.RpcError) as error:
            print(f"make campaign-overload: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("make campaign-overload: interrupted, no result is written", file=sys.stderr)
            return 130
        raw = raw_results.path("overload-", result)
        if options.rounds < ROUNDS or options.seconds < SECONDS:
            raw = _CACHE / raw.name
        raw_results.save(raw, result)
        print(f"Wrote {raw.relative_to(raw_results.ROOT)}")
    print(overload_tables(result))
    return 0 if all(met for _, met in overload_bars(result)) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commit", default="", help="measure the build of this commit, and not the working tree")
    parser.add_argument("--args", type=shlex.split, default=[], help="more arguments of the server")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each load is measured")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that each run counts")
    parser.add_argument("--warmup", type=float, default=2.0, help="seconds before them that do not count")
    parser.add_argument("--loops", choices=LOOPS, nargs="+", default=list(LOOPS), help="how callers go on")
    parser.add_argument("--report", type=Path, help="print the tables of this raw result, and measure nothing")
    options = parser.parse_args()
    if not (0 < options.rounds <= _MOST_ROUNDS and 0 < options.seconds <= _MOST_SECONDS):
        parser.error(f"at most {_MOST_ROUNDS} rounds of {_MOST_SECONDS:g} s are measured, and at least one")
    return options


def _measure(options: argparse.Namespace) -> Result:
    _CACHE.mkdir(parents=True, exist_ok=True)
    build = commit_build(options.commit, _CACHE, options.args) if options.commit else head_build(options.args)
    about = machine.metadata() | {"build": build.describe(), "options": vars(options) | {"report": None}}
    plan = Plan(options.rounds, options.warmup, options.seconds, tuple(options.loops))
    program = load_program.built(_CACHE)
    with tempfile.TemporaryDirectory(dir=_CACHE) as directory:
        return about | Campaign(program, Path(directory), _CACHE / "servers.log", plan).measure(build)


if __name__ == "__main__":
    sys.exit(main())
