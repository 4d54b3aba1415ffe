"""`make campaign-connections`: what a connection without calls takes of a worker's memory, plaintext and with TLS.

The connections are opened from one process. Ordinary calls must be answered beside them. Writes a raw result.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine
from benchmarks.pages import raw_results
from support.attacked import KINDS, Kind, attacked


def main() -> int:
    """Gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=5_000, help="of each kind, all at once")
    options = parser.parse_args()
    measured = {kind: _measured(kind, options.connections) for kind in KINDS}
    result = machine.metadata() | {"connections": options.connections, "bytes": measured}
    raw_results.save(raw_results.path("connections-", result), result)
    for kind, (before, after) in measured.items():
        size = (after - before) / options.connections / 1000
        print(f"{kind}: {options.connections:,} connections, {before:,} → {after:,} bytes, {size:.1f} kB each")
    return 0


def _measured(kind: Kind, connections: int) -> tuple[int, int]:
    """The bytes that the worker holds without the connections, and with them."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as opened:
        limit = str(connections + 100)
        target = opened.enter_context(attacked(Path(directory), kind, "--max-connections", limit))
        target.assert_serves()
        before = target.resident_bytes()
        for _ in range(connections):
            opened.enter_context(target.raw()).begin()
        target.assert_serves()
        return before, target.resident_bytes()


if __name__ == "__main__":
    sys.exit(main())
