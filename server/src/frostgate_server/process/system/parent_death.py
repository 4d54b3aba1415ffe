"""Ends a worker when its supervisor ends, even if the worker hangs or is stopped.

Otherwise it would keep the port and the database, and no other server could start.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Makes the system kill this process when its parent ends, or at once if `parent` has ended already.

    `parent` is the process id of the parent. The signal comes when the thread that started this process ends. Other
    systems than Linux have no such signal: there a worker ends when its stdin is closed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
