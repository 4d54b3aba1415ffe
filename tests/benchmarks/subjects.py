"""What is measured: echoes of several makes, and frostgate with several databases."""

import sys
from dataclasses import dataclass
from pathlib import Path

from .identified import Way

THREADS = 2
"""For checks, of each of frostgate's workers by default."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A bare server: so many processes, each with threads or with an event loop."""

    processes: int
    threads: int | None = None
    loop: str | None = None

    @property
    def name(self) -> str:
        """Such as "echo 2×2" or "echo 2×uvloop"."""
        return f"echo {self.processes}×{self.threads or self.loop}"

    def command(self, answer: bytes) -> list[str]:
        """How to start it."""
        script = Path(__file__).with_name("echo.py")
        how = ["--loop", self.loop] if self.loop else ["--threads", str(self.threads)]
        return [sys.executable, str(script), "--answer", answer.hex(), "--processes", str(self.processes), *how]


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


Subject = Echo | Frostgate

ECHOES = [
    Echo(1, threads=2),
    Echo(2, threads=1),
    Echo(2, threads=2),
    Echo(2, threads=3),
    Echo(1, loop="asyncio"),
    Echo(1, loop="uvloop"),
    Echo(2, loop="uvloop"),
]
"""Among them the best is looked for."""
