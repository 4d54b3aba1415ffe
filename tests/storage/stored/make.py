"""Makes a stored database for the tests: the files of this directory's versions.

    python tests/storage/stored/make.py --server COMMAND DIRECTORY

v0.1.0 is made with the server of commit e9e9234. COMMAND is a frostgate-server, or a python that has one installed
(`COMMAND -m frostgate_server`); its protos must have the requests of this program. Use the server of a released
version, and name the directory after it. Never make an existing version again: its files are evidence of what that
version wrote.

The directory gets:

    frostgate.db         the database after a clean stop, with its -head file and its -key file (the verification key)
    heads.jsonl          the heads that the server exported
    audit.jsonl          the output of `frostgate-server audit`
    requests.json        what a replay needs, see below

requests.json has `now`, the time at which the clock of the server stood; `callers`, the tables of callers; `kept`, the
changes that were answered OK under a request id, with caller, full name of the method, serialized request and
serialized response; `pages`, listings with the response, the page token in it and the response of the next page; and
`code`, a verification code that was sent and not used, with all that it was sent for. Bytes are in base64.

The random parts differ each time: the id of the database, the verification key and the codes.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from storage.stored.contents import BEFORE, CALLERS, NOW, Contents
from support import server_process
from support.processes import output
from support.recordings.clocked_server import clocked_server, use_server

DATABASE = "frostgate.db"
KEPT_FILES = (DATABASE, f"{DATABASE}-head", f"{DATABASE}-key", "heads.jsonl")


def main() -> int:
    """Runs the program. Gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", metavar="COMMAND", default=sys.executable, help="default: this python")
    parser.add_argument("directory", metavar="DIRECTORY", type=Path, help="a new directory")
    options = parser.parse_args()
    use_server(options.server)
    options.directory.mkdir(parents=True)
    make(options.directory)
    return 0


def make(directory: Path) -> None:
    """Makes all files in an existing directory."""
    contents = Contents()
    with tempfile.TemporaryDirectory() as temporary:
        served = Path(temporary)
        database = served / DATABASE
        flags = (f"--head-export={served / 'heads.jsonl'}", "--mail-server=log")
        with clocked_server(database, BEFORE.isoformat(), *flags, callers=CALLERS) as server:
            contents.fill_before(server)
        with clocked_server(database, NOW.isoformat(), *flags, callers=CALLERS) as server:
            contents.fill_now(server)
        wal = served / f"{DATABASE}-wal"
        assert not wal.exists() or wal.stat().st_size == 0, "the write-ahead log is not folded in"
        for name in KEPT_FILES:
            shutil.copy(served / name, directory / name)
        (directory / "audit.jsonl").write_bytes(_audit(database))
    document = {
        "now": NOW.isoformat(),
        "callers": CALLERS,
        "code": contents.code,
        "kept": contents.kept,
        "pages": contents.pages,
    }
    (directory / "requests.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _audit(database: Path) -> bytes:
    """The audit log as the command line prints it."""
    command = [*server_process.COMMAND, "audit", "--database", str(database)]
    return output(*command).encode()


if __name__ == "__main__":
    sys.exit(main())
