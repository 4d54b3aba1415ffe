"""`make bench`: measures the real server against bare ones, and what it costs to know who calls.

With `--peers FILE` it measures only checks, and other services in the same rounds. Writes the raw results, one of each,
and the page that is made of them.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import load_program, machine, report
from benchmarks.fill import filled_database
from benchmarks.identified import Papers
from benchmarks.pages import raw_results
from benchmarks.peers.peer_file import read_peers
from benchmarks.rounds import Measurement, Plan
from benchmarks.servers import CannotMeasure, interrupt_on_signals

_ROOT = Path(__file__).parent.parent.parent
_CACHE = _ROOT / "build" / "bench"
SIZES = (1_000, 1_000_000, 10_000_000)


def main() -> int:
    """Gives the exit status: 0 if every call was answered OK, with a decision on a customer that exists."""
    options = _options()
    interrupt_on_signals()
    wrong = 0
    try:
        for kind, result in _results(options):
            _write(kind, result)
            wrong += sum(run["wrong"] for run in result["runs"])
    except CannotMeasure as error:
        print(f"make bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make bench: interrupted, nothing more is written down", file=sys.stderr)
        return 130
    if wrong:
        print(f"make bench: {wrong} calls were not answered as they should be", file=sys.stderr)
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="that each run counts")
    parser.add_argument("--warmup", type=float, default=1.0, help="seconds before them that do not count")
    parser.add_argument("--rounds", type=int, default=5, help="how often each scenario is measured")
    parser.add_argument("--identities", action="store_true", help="measure only what it costs to know who calls")
    parser.add_argument("--peers", type=Path, help="measure only checks, beside the services that this file names")
    parser.add_argument("--customers", type=int, nargs="+", default=SIZES, help="of each database")
    return parser.parse_args()


def _results(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """The raw results, as soon as each is there, with what their names begin with."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    log = _CACHE / "servers.log"
    log.unlink(missing_ok=True)
    program = load_program.built(_CACHE)
    peers = read_peers(options.peers) if options.peers else []
    about = machine.metadata() | {"options": vars(options) | {"peers": str(options.peers or "")}}
    plan = Plan(options.rounds, options.warmup, options.seconds)
    sizes = [min(options.customers)] if options.identities or peers else sorted(options.customers)
    databases = {size: filled_database(_CACHE, size) for size in sizes}
    if peers:
        yield "peers-", about | Measurement(program, databases, plan, log).beside_peers(peers)
        return
    if not options.identities:
        yield "", about | Measurement(program, databases, plan, log).everything()
    with tempfile.TemporaryDirectory(dir=_CACHE) as directory:
        papers = Papers(Path(directory), options.warmup + options.seconds)
        yield "identities-", about | Measurement(program, databases, plan, log).identities(papers)


def _write(kind: str, result: dict[str, Any]) -> None:
    """Writes a raw result, and the page anew."""
    raw = raw_results.path(kind, result)
    raw_results.save(raw, result)
    print(f"Wrote {raw.relative_to(_ROOT)}")
    if newest := raw_results.newest():
        report.write(newest)
        print(f"Wrote {report.PAGE.relative_to(_ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
