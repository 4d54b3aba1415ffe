"""The trial of the docs: the files of `make certificates` in a directory of a test, and a server that uses them."""

import subprocess
import sys
from pathlib import Path

from support.processes import run
from support.server_process import ServerProcess

PROGRAM = Path(__file__).parent.parent.parent / "docs" / "trial" / "make_certificates.py"

TRIAL = "build/trial"
"""The directory of the trial, relative to where the docs' commands run."""

DOCUMENTED_ADDRESS = "127.0.0.1:50051"
DOCUMENTED_MTLS_ADDRESS = "127.0.0.1:50052"


def make_trial(directory: Path) -> subprocess.CompletedProcess[str]:
    """Makes a trial in the directory, as `make certificates` does."""
    return run(sys.executable, PROGRAM, directory / TRIAL)


def serve_trial(directory: Path, *flags: str) -> ServerProcess:
    """Serves with the trial in the directory, on free addresses."""
    config = ["--config", str(directory / TRIAL / "frostgate.toml"), "--mtls-listen", "127.0.0.1:0"]
    return ServerProcess(directory / TRIAL / "frostgate.db", *config, *flags)


def as_documented(text: str, server: ServerProcess) -> str:
    """A command or a program of the docs, for this server."""
    return text.replace(DOCUMENTED_ADDRESS, server.address).replace(DOCUMENTED_MTLS_ADDRESS, server.mtls_address)
