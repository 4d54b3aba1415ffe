"""A small file system of its own, in a private mount namespace: a test may fill it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.processes import Process, run


class SmallDisk:
    """A tmpfs at `directory`, which only programs that are started with `prefix` see."""

    def __init__(self, directory: Path, prefix: Sequence[str]) -> None:
        """The disk is there already."""
        self.directory = directory
        self.prefix = prefix
        self._filler = directory / "filler"

    def fill(self) -> None:
        """Leaves no block free. May be repeated, to take what was freed since."""
        done = self._run(f"cat /dev/zero >> {self._filler}")
        assert "No space left on device" in done

    def make_room(self) -> None:
        """Frees what `fill` took."""
        self._run(f"rm {self._filler}")

    def files(self) -> list[str]:
        """The names of the files there."""
        return sorted(self._run(f"ls {self.directory}").split())

    def _run(self, script: str) -> str:
        done = run(*self.prefix, "/bin/sh", "-c", script)
        return done.stdout + done.stderr


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[SmallDisk]:
    """Mounts it. The test is skipped where this user may not."""
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
