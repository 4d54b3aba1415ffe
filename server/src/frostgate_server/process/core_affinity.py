"""The core on which a worker runs.

The threads of a worker wake each other several times a call. On one core that costs less than from core to core.
"""

import logging
import os

_log = logging.getLogger(__name__)


def core_of(worker: int, workers: int) -> int | None:
    """The core for a worker, numbered from 1. None unless there is one core for each worker: then the system chooses.

    So servers that may use a part of a machine's time, but all of its cores, do not crowd on the first ones.
    """
    cores = sorted(os.sched_getaffinity(0))
    return cores[worker - 1] if workers == len(cores) else None


def keep_to_core(core: int) -> None:
    """Has this thread, and all that it starts from now on, run on one core only."""
    try:
        os.sched_setaffinity(0, {core})
    except OSError as error:
        _log.warning("cannot keep to core %d: %s", core, error)
