"""`make bench`: measures the real server against a bare one, and writes down the results."""

import argparse
import json
import shlex
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import load_program, machine, report
from benchmarks.fill import filled_database
from benchmarks.rounds import Measurement, Plan
from benchmarks.servers import CannotMeasure

_ROOT = Path(__file__).parent.parent.parent
_CACHE = _ROOT / "build" / "bench"
SIZES = (1_000, 1_000_000, 10_000_000)


def main() -> int:
    """Gives the exit status: 0 if every call was answered OK, with a decision on a customer that exists."""
    options = _options()
    # However this is interrupted, what was started is ended on the way out.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        result = _measured(options)
    except CannotMeasure as error:
        print(f"make bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make bench: interrupted, nothing is written down", file=sys.stderr)
        return 130
    _write(result)
    wrong = sum(run["wrong"] for run in result["runs"])
    if wrong:
        print(f"make bench: {wrong} calls were not answered as they should be", file=sys.stderr)
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="that each run counts")
    parser.add_argument("--warmup", type=float, default=1.0, help="seconds before them that do not count")
    parser.add_argument("--rounds", type=int, default=5, help="how often each scenario is measured")
    parser.add_argument("--customers", type=int, nargs="+", default=SIZES, help="of each database")
    return parser.parse_args()


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    _CACHE.mkdir(parents=True, exist_ok=True)
    log = _CACHE / "servers.log"
    log.unlink(missing_ok=True)
    program = load_program.built(_CACHE)
    databases = {size: filled_database(_CACHE, size) for size in sorted(options.customers)}
    about = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(sys.orig_argv),
        "commit": machine.commit(),
        "dirty": machine.is_dirty(),
        "options": vars(options),
        "machine": machine.machine(),
        "versions": machine.versions(),
    }
    plan = Plan(options.rounds, options.warmup, options.seconds)
    return about | Measurement(program, databases, plan, log).everything()


def _write(result: dict[str, Any]) -> None:
    raw = report.RESULTS / f"{result['started'][:10]}-{result['commit'][:9]}.json"
    raw.parent.mkdir(exist_ok=True)
    raw.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    report.write(raw)
    print(f"Wrote {raw.relative_to(_ROOT)} and {report.PAGE.relative_to(_ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
