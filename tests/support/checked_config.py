"""`serve --check-config`, run by a test."""

from pathlib import Path

from support.processes import run
from support.server_process import COMMAND

CAN_START = "frostgate-server can start\n"


class Checked:
    """What a check said. It leaves the files below a directory as they were."""

    def __init__(self, directory: Path, *flags: str, **variables: str) -> None:
        """Checks in that directory."""
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
    """Every file and directory: its inode, the time of its last change, and its content."""
    found = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (status.st_ino, status.st_mtime_ns, content)
    return found
