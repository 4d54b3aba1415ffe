"""The core on which a worker runs.

The threads of a worker wake each other several times in each call. This is cheaper on one core than between cores.
"""

import logging
import os

_log = logging.getLogger(__name__)


def core_of(worker: int, workers: int) -> int | None:
    """The core for a worker, numbered from 1. None if the numbers of workers and cores differ: the system chooses.

    A server with a CPU quota may see all cores of a machine, but have fewer workers. Without this rule, several such
    servers would all use the first cores.
    """
    cores = sorted(os.sched_getaffinity(0))
    return cores[worker - 1] if workers == len(cores) else None


def keep_to_core(core: int) -> None:
    """Makes this thread, and all threads that it starts later, run on one core."""
    try:
        os.sched_setaffinity(0, {core})
    except OSError as error:
        _log.warning("cannot run only on core %d: %s", core, error)
