"""The processes of a server while it runs, and their memory."""

from contextlib import suppress
from pathlib import Path


def process_tree(pid: int) -> list[int]:
    """A process and its descendants, as they are now."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(descendant for child in children for descendant in process_tree(int(child)))]


def resident_bytes(pid: int) -> int:
    """The memory of a process and its descendants together. Those that end meanwhile count nothing."""
    return sum(map(_resident, process_tree(pid)))


def _resident(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
