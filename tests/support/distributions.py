"""The files of a release."""

import sys
from pathlib import Path

from support.processes import output

ROOT = Path(__file__).parents[2]

BUILDING = 300
"""Seconds that a build may take."""


def build_distributions(out: Path) -> None:
    """The source and the wheel of client and server."""
    for project in (ROOT / "client", ROOT):
        build_wheel(project, out, "--sdist")


def build_wheel(project: Path, out: Path, *flags: str) -> None:
    """The wheel of a project, with the build backend that the tests have."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", *flags, "--outdir", str(out), str(project)]
    output(*command, timeout=BUILDING)
