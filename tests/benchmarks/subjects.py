"""The servers to measure: echoes of several makes, frostgate with several databases, and peers."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .echoes.makes import Make
from .identified import Way
from .peers.peer_file import Peer

THREADS = 2
"""For checks, of each of frostgate's workers by default."""

GO_ECHO = "grpc-go echo"
"""The name of the bare server in Go."""

_CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Echo:
    """A bare server in Python: so many processes, each with threads where its make has them."""

    make: Make
    processes: int
    threads: int = 0

    @property
    def name(self) -> str:
        """Such as "echo 2×4 queued" or "echo 2×uvloop"."""
        threads = f"{self.threads} " if self.threads else ""
        return f"echo {self.processes}×{threads}{self.make}"

    def command(self, answer: bytes) -> list[str]:
        """How to start it."""
        script = Path(__file__).parent / "echoes" / "server.py"
        how = ["--make", self.make, "--processes", str(self.processes), "--threads", str(self.threads)]
        return [sys.executable, str(script), "--answer", answer.hex(), *how]


@dataclass(frozen=True, slots=True)
class GoEcho:
    """The bare server in Go, one process on all cores: the limit of the machine."""

    program: Path

    @property
    def name(self) -> str:
        """The name in tables."""
        return GO_ECHO

    def command(self, answer: bytes) -> list[str]:
        """How to start it."""
        return [str(self.program), "-answer", answer.hex()]


@dataclass(frozen=True, slots=True)
class Frostgate:
    """The real server with its default settings, on a database with so many customers.

    `own` says that it changes them, so that each run has a copy of its own. `one_change_a_group` takes from it what
    group commit does. `way` is how it knows its callers, where that is what is measured.
    """

    customers: int
    own: bool = False
    one_change_a_group: bool = False
    way: Way | None = None

    @property
    def name(self) -> str:
        """Such as "frostgate 1,000" or "frostgate 1,000, mTLS"."""
        each = ", each change alone" if self.one_change_a_group else ""
        way = f", {self.way.name}" if self.way else ""
        return f"frostgate {self.customers:,}{each}{way}"

    def command(self, database: Path) -> list[str]:
        """How to start it."""
        return serve(Path(sys.executable), database)

    def variables(self) -> dict[str, str]:
        """The environment that it needs."""
        path = Path(__file__).with_name("one_change_a_group")
        return {"PYTHONPATH": str(path)} if self.one_change_a_group else {}


def serve(python: Path, database: Path) -> list[str]:
    """How to start the frostgate that this Python has, on loopback."""
    command = [str(python), "-m", "frostgate_server", "serve"]
    return [*command, "--listen", "127.0.0.1:0", "--database", str(database)]


Subject = Echo | GoEcho | Frostgate | Peer

_MAKES = [
    *(Echo(make, _CORES, threads) for make in (Make.THREADS, Make.QUEUED) for threads in (1, 2, 4)),
    Echo(Make.LOOP, 1),
    Echo(Make.LOOP, _CORES),
    Echo(Make.ASYNCIO, 1),
    Echo(Make.UVLOOP, 1),
    Echo(Make.UVLOOP, _CORES),
]

ECHOES = list(dict.fromkeys(_MAKES))
"""Among them the best is looked for, for each number of callers."""
