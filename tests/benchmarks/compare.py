"""`make compare`: measures HEAD against another commit, or one build with two sets of server arguments.

Writes a raw result and prints the table that is made of it; `compare.py --report FILE` prints the table again.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import load_program, machine
from benchmarks.comparison.builds import commit_build, head_build
from benchmarks.comparison.measurement import CUSTOMERS, WARMUP, Comparison
from benchmarks.comparison.options import is_trial, parse
from benchmarks.comparison.table import all_met, table
from benchmarks.figures import Result
from benchmarks.pages import raw_results
from benchmarks.servers import CannotMeasure, interrupt_on_signals

_CACHE = raw_results.ROOT / "build" / "compare"


def main() -> int:
    """Gives the exit status: 0 if every bar is met, 1 if one is missed or undecided, or nothing can be measured."""
    options = parse()
    if options.report:
        result = json.loads(options.report.read_text("utf-8"))
    else:
        interrupt_on_signals()
        try:
            result = _measure(options)
        except CannotMeasure as error:
            print(f"make compare: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("make compare: interrupted, no result is written", file=sys.stderr)
            return 130
        raw = _path(result, _CACHE if is_trial(options.pairs, options.seconds) else raw_results.RESULTS)
        raw_results.save(raw, result)
        print(f"Wrote {raw.relative_to(raw_results.ROOT)}")
    print(table(result))
    return 0 if all_met(result) else 1


def _measure(options: argparse.Namespace) -> Result:
    _CACHE.mkdir(parents=True, exist_ok=True)
    head = head_build(options.args)
    base = commit_build(options.base, _CACHE, options.base_args) if options.base else head_build(options.base_args)
    about = machine.metadata() | {
        "base_commit": base.commit,
        "head": head.describe(),
        "base": base.describe(),
        "options": vars(options) | {"bars": " ".join(map(str, options.bars)), "report": None},
        "customers": CUSTOMERS,
        "warmup": WARMUP,
    }
    program = load_program.built(_CACHE)
    with tempfile.TemporaryDirectory(dir=_CACHE) as directory:
        comparison = Comparison(program, Path(directory), _CACHE / "servers.log", options.seconds)
        return about | {"scenarios": list(comparison.scenarios(head, base, options))}


def _path(result: Result, directory: Path) -> Path:
    """The name has the time: a commit is compared several times a day."""
    time = result["started"][:16].replace(":", "")
    return directory / f"compare-{time}-{result['commit'][:9]}.json"


if __name__ == "__main__":
    sys.exit(main())
