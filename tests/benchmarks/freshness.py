"""`make freshness`: changes on one worker, checked on another, for as long as it takes to have very many of them.

Writes a raw result, of which report.py makes a part of docs/benchmarks.md.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import time_ns
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import load_program, machine, report
from benchmarks.fill import filled_database
from benchmarks.load_program import Load
from benchmarks.pages import raw_results
from benchmarks.rounds import copied
from benchmarks.scenarios import Calls
from benchmarks.servers import CannotMeasure, checks_that_exist, running
from benchmarks.subjects import Frostgate

_CACHE = Path(__file__).parent.parent.parent / "build" / "bench"
_CUSTOMERS = 1000


def main() -> int:
    """Gives the exit status: 0 if every pair was answered, most of them by two workers, and none was stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0)
    options = parser.parse_args()
    try:
        result = _measured(options.seconds)
    except CannotMeasure as error:
        print(f"make freshness: {error}", file=sys.stderr)
        return 1
    raw_results.save(raw_results.path("freshness-", result), result)
    measured = result["measured"]
    print(f"{measured['items']:,} pairs, {measured['crossed']:,} across workers, {measured['stale']:,} stale")
    return 0 if report.is_fresh(result) else 1


def _measured(seconds: float) -> dict[str, Any]:
    _CACHE.mkdir(parents=True, exist_ok=True)
    log = _CACHE / "servers.log"
    program = load_program.built(_CACHE)
    with tempfile.TemporaryDirectory(dir=_CACHE) as directory:
        database = copied(filled_database(_CACHE, _CUSTOMERS), Path(directory))
        with running(Frostgate(_CUSTOMERS).command(database), {}, log) as server:
            # Requests are drawn: with an earlier seed they would be repetitions, which are answered as they were then.
            load = Load(_CUSTOMERS, checks_that_exist(server), Calls("pair", 64), None, 1.0, seconds, time_ns())
            return machine.metadata() | load_program.outcome(program, server, load)


if __name__ == "__main__":
    sys.exit(main())
