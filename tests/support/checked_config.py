"""Runs `serve --check-config` in a test."""

from pathlib import Path

from support.processes import run
from support.server_process import COMMAND

CAN_START = "frostgate-server can start\n"


class Checked:
    """The output of a check. The check must not change files in the directory."""

    def __init__(self, directory: Path, *flags: str, **variables: str) -> None:
        """Runs the check in the directory."""
        before = contents(directory)
        done = run(*COMMAND, "serve", "--check-config", *flags, cwd=directory, variables=variables)
        assert contents(directory) == before, "the check changed something on disk"
        lines = done.stderr.splitlines()
        assert all(line.startswith("frostgate-server: ") for line in lines), done.stderr
        said = [line.removeprefix("frostgate-server: ") for line in lines]
        self.warnings = [line.removeprefix("warning: ") for line in said if line.startswith("warning: ")]
        self.problems = [line for line in said if not line.startswith("warning: ")]
        assert (done.returncode, done.stdout) == ((1, "") if self.problems else (0, CAN_START)), done


def contents(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file and directory, with inode, time of the last change, and content."""
    found = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (status.st_ino, status.st_mtime_ns, content)
    return found
