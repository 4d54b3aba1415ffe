"""What a measurement was made on and with."""

import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from frostgate_server.storage.sqlite.driver import sqlite3

from .load_program import go_version

_ROOT = Path(__file__).parent.parent.parent


def metadata() -> dict[str, Any]:
    """The first part of every raw result."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(sys.orig_argv),
        "commit": commit(),
        "dirty": is_dirty(),
        "machine": machine(),
        "versions": versions(),
    }


def machine() -> dict[str, object]:
    """The hardware, as Linux tells it, and how busy it was."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": int(memory[1]) * 1024 if memory else None,
        "system": f"{platform.system()} {platform.release()}",
        "load_average_before": os.getloadavg()[0],
    }


def versions() -> dict[str, str]:
    """Of what takes part."""
    return {
        "python": platform.python_version(),
        "grpcio": version("grpcio"),
        "protobuf": version("protobuf"),
        "uvloop": version("uvloop"),
        "pyjwt": version("pyjwt"),
        "cryptography": version("cryptography"),
        "sqlite": sqlite3.sqlite_version,
        "go": go_version(),
    }


def commit() -> str:
    """The commit that is checked out, in full."""
    return git("rev-parse", "HEAD")


def is_dirty() -> bool:
    """Whether there are changes that are not committed."""
    return bool(git("status", "--porcelain"))


def git(*arguments: str) -> str:
    """What git prints in this repository. Raises CalledProcessError."""
    return subprocess.run(["git", *arguments], cwd=_ROOT, check=True, capture_output=True, text=True).stdout.strip()
