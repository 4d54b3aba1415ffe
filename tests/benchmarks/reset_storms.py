"""`make campaign-resets`: how long checks take beside a rapid reset, and without.

A round measures both, one right after the other, since other programs disturb rounds. Writes a raw result.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine
from benchmarks.pages import raw_results
from support.attacked import CHECK, KINDS, Attacked, Kind, attacked, latencies, percentile
from support.reset_storm import resetting

_SECONDS = 3.0
"""Of each measurement."""

MOST = 3.0
"""Times the p99 without a storm."""


def main() -> int:
    """Gives the exit status: 0 if checks take at most MOST times as long beside a storm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    measured = {kind: _measured(kind, options.rounds) for kind in KINDS}
    raw_results.save(raw_results.path("resets-", result := machine.metadata() | {"p99_seconds": measured}), result)
    ratios = {kind: median(beside / alone for alone, beside in rounds) for kind, rounds in measured.items()}
    for kind, ratio in ratios.items():
        print(f"{kind}: p99 beside a storm / without: {ratio:.2f}, at most {MOST}")
    return 0 if max(ratios.values()) <= MOST else 1


def _measured(kind: Kind, rounds: int) -> list[tuple[float, float]]:
    """The p99 of checks without a storm and beside one, in seconds, of each round."""
    with tempfile.TemporaryDirectory() as directory, attacked(Path(directory), kind) as target:
        target.assert_serves()
        return [_round(target) for _ in range(rounds)]


def _round(target: Attacked) -> tuple[float, float]:
    with target.connect() as connection:
        alone = percentile(latencies(lambda: target.check(connection), _SECONDS), 0.99)
        with resetting(target, CHECK):
            beside = percentile(latencies(lambda: target.check(connection), _SECONDS), 0.99)
    print(f"p99 alone {alone * 1000:.2f} ms, beside {beside * 1000:.2f} ms", flush=True)
    return alone, beside


if __name__ == "__main__":
    sys.exit(main())
