"""A small file system in a private mount namespace, which a test may fill."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.processes import Process, run


class SmallDisk:
    """A tmpfs at `directory`. Only programs that are started with `prefix` see it."""

    def __init__(self, directory: Path, prefix: Sequence[str]) -> None:
        """Takes a disk that is already mounted."""
        self.directory = directory
        self.prefix = prefix
        self._filler = directory / "filler"

    def fill(self) -> None:
        """Fills all free blocks. Repeat it to fill blocks that were freed later."""
        done = self._run(f"cat /dev/zero >> {self._filler}")
        assert "No space left on device" in done

    def make_room(self) -> None:
        """Frees the blocks that `fill` took."""
        self._run(f"rm {self._filler}")

    def files(self) -> list[str]:
        """The names of the files on the disk."""
        return sorted(self._run(f"ls {self.directory}").split())

    def _run(self, script: str) -> str:
        done = run(*self.prefix, "/bin/sh", "-c", script)
        return done.stdout + done.stderr


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[SmallDisk]:
    """Mounts the disk. The test is skipped if this user may not mount."""
    directory.mkdir()
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    script = f"mount -t tmpfs -o size={size} none {directory} && echo mounted && exec sleep infinity"
    with Process(["unshare", "--mount", *user, "/bin/sh", "-c", script]) as holder:
        if holder.next_line() != "mounted\n":
            pytest.skip("this user may not mount a tmpfs in a namespace")
        enter = [
            "nsenter",
            f"--target={holder.pid}",
            "--mount",
            *(["--user", "--preserve-credentials"] if user else []),
        ]
        yield SmallDisk(directory, enter)
