"""The CPU quota of this process, from control groups (cgroups) of version 1 and 2, at any mount point.

A quota applies to a group and all groups below it. So the smallest quota of a group and its parents counts.
"""

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_log = logging.getLogger(__name__)

_ESCAPED = re.compile(r"\\([0-7]{3})")
"""An escaped character in a path of mountinfo, such as \\040 for a space."""


@dataclass(frozen=True, slots=True)
class _Hierarchy:
    """A mounted hierarchy of control groups. `root` is the group whose directory is `directory`."""

    version: int
    root: PurePosixPath
    directory: Path


def count_cores(proc: Path = Path("/proc/self"), root: Path = Path("/")) -> int:
    """The number of cores that this process may use, by its affinity and its CPU quota. At least 1.

    `proc` and `root` are the directories of the process and of the file system.
    """
    cores = len(os.sched_getaffinity(0))
    quota = read_cpu_quota(proc, root)
    return cores if quota is None else max(1, min(cores, quota))


def read_cpu_quota(proc: Path, root: Path) -> int | None:
    """The smallest quota that applies to the process, in whole cores, rounded down; None if there is none.

    Never raises. A missing file is ignored. An invalid file is ignored too, with a warning in the log.
    """
    groups = dict(_groups(proc))
    quotas = [
        quota
        for hierarchy in _hierarchies(proc, root)
        if hierarchy.version in groups
        for directory in _directories(hierarchy, groups[hierarchy.version])
        if (quota := _quota(hierarchy.version, directory)) is not None
    ]
    return min(quotas, default=None)


def _groups(proc: Path) -> Iterator[tuple[int, PurePosixPath]]:
    """The group of the process, by the version of the hierarchy. For version 1, the group of the cpu controller."""
    for line in _read(proc / "cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            yield 2, PurePosixPath(group)
        elif "cpu" in controllers.split(","):
            yield 1, PurePosixPath(group)


def _hierarchies(proc: Path, root: Path) -> Iterator[_Hierarchy]:
    """The hierarchies in /proc/self/mountinfo that can have a CPU quota."""
    for line in _read(proc / "mountinfo").splitlines():
        mount, _, kind = line.partition(" - ")
        match mount.split(" "), kind.split(" "):
            case [_, _, _, group, point, *_], [("cgroup" | "cgroup2") as name, _, options, *_]:
                if name == "cgroup2" or "cpu" in options.split(","):
                    directory = root / _unescaped(point).lstrip("/")
                    yield _Hierarchy(2 if name == "cgroup2" else 1, PurePosixPath(_unescaped(group)), directory)


def _directories(hierarchy: _Hierarchy, group: PurePosixPath) -> list[Path]:
    """The mounted directories of a group and of its parents.

    In a container, the name of the group may not be below the mounted group. Then only the mounted group is used.
    """
    if not group.is_relative_to(hierarchy.root) or ".." in group.parts:
        return [hierarchy.directory]
    below = group.relative_to(hierarchy.root)
    return [hierarchy.directory / part for part in (below, *below.parents)]


def _quota(version: int, directory: Path) -> int | None:
    """The quota of one group, in whole cores; None if it has none."""
    names = ("cpu.max",) if version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    texts = [_read(directory / name) for name in names]
    words = " ".join(texts).split()
    if not words or words[0] in {"max", "-1"}:
        return None
    try:
        granted, period = map(int, words)
        if granted <= 0 or period <= 0:
            raise ValueError
    except ValueError:
        _log.warning("%s is ignored: its CPU quota is invalid: %.64r", directory / names[0], " ".join(texts))
        return None
    return granted // period


def _read(file: Path) -> str:
    """The text of a file; empty if it cannot be read."""
    try:
        return file.read_text("utf-8", "surrogateescape")
    except (OSError, ValueError):
        return ""


def _unescaped(path: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), path)
