"""A worker ends with its supervisor, also while it hangs or is stopped.

Else it would keep the port and the database, and no other server could start.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Has the system kill this process when its parent ends, the process with this id. Also if it has ended already.

    The parent is the thread that started this process. Other systems than Linux have no such signal: there a worker
    ends when its stdin does.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
