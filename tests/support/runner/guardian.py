"""A program that outlives pytest: it kills the processes that a killed pytest left.

Its stdin is a pipe from pytest, which closes when pytest ends, also by SIGKILL. A pytest that ends normally writes to
the pipe first. The kernel's parent-death signal comes too early: when the thread ends that started a process.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent.parent))
    from support.processes import kill_marked

    if sys.stdin.read() != "ended":
        for end_of_mark in ("/", "\0"):
            kill_marked(sys.argv[1] + end_of_mark)
