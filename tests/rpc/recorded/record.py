"""Records the wire: calls of a server and its answers, for a replay with another version.

    python tests/rpc/recorded/record.py --server COMMAND [SCENARIO …]
    python tests/rpc/recorded/record.py --show SCENARIO

The recordings beside this program are made with the server of commit e9e9234. They are evidence of what that version
answered: record a scenario again only where an answer is meant to change, and review the difference. COMMAND is a
frostgate-server, or a python that has one installed. --show prints a recording with the answers in text format.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from rpc.recorded.scenarios import callers, codes, customers, decisions, fields, listings, storage
from support.recordings.clocked_server import use_server
from support.recordings.wire_recording import Recorder, read, shown

RECORDED = Path(__file__).parent

SCENARIOS: dict[str, Callable[[Recorder], None]] = {
    "decisions": decisions.decisions,
    "decisions-of-an-operator": decisions.decisions_of_an_operator,
    "transitions": customers.transitions,
    "request-ids": customers.request_ids,
    "batches": customers.batches,
    "listings": listings.listings,
    "fields": fields.fields,
    "codes": codes.codes,
    "codes-not-sent": codes.codes_not_sent,
    "callers": callers.callers,
    "storage": storage.storage,
}


def main() -> int:
    """Runs the program. Gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", metavar="COMMAND", default=sys.executable, help="default: this python")
    parser.add_argument("--show", action="store_true", help="print recordings, and record nothing")
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", help="default: all")
    options = parser.parse_args()
    use_server(options.server)
    for name in options.scenarios or SCENARIOS:
        file = RECORDED / f"{name}.jsonl"
        if options.show:
            print(*map(shown, read(file)), sep="\n")
            continue
        with tempfile.TemporaryDirectory() as directory:
            recorder = Recorder(Path(directory))
            SCENARIOS[name](recorder)
        recorder.write(file)
        print(f"{file.name}: {len(recorder.lines)} lines, {file.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
