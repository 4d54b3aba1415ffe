"""With as many workers as cores each keeps to a core of its own, else the system chooses."""

import os
import signal
from pathlib import Path

import pytest
from frostgate_server.process.core_affinity import keep_to_core
from support.runner.sizes import members
from support.server_process import ServerProcess
from support.worker_processes import eventually, serving_workers

CORES = sorted(os.sched_getaffinity(0))
ONE_A_CORE = ["--workers", str(len(CORES))]


def cores_of(server: ServerProcess) -> list[list[int]]:
    """The cores on which the threads of each worker may run, in order."""
    return sorted(sorted(os.sched_getaffinity(worker)) for worker in serving_workers(server))


WORKERS: dict[str, tuple[list[str], list[list[int]]]] = {
    "one a core": (ONE_A_CORE, [[core] for core in CORES]),
    "off": ([*ONE_A_CORE, "--cpu-affinity", "off"], [CORES] * len(CORES)),
    "more than cores": (["--workers", str(len(CORES) + 1)], [CORES] * (len(CORES) + 1)),
}


@pytest.mark.parametrize("kind", members(WORKERS, short=["more than cores"]))
def test_a_worker_keeps_to_a_core_if_there_is_one_for_each(tmp_path: Path, kind: str) -> None:
    flags, cores = WORKERS[kind]
    with ServerProcess(tmp_path / "frostgate.db", *flags) as server:
        assert cores_of(server) == cores


def test_a_worker_that_is_replaced_keeps_to_the_same_core(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", *ONE_A_CORE) as server:
        victim = serving_workers(server)[0]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: victim not in (now := serving_workers(server)) and len(now) == len(CORES), "replaced")
        assert cores_of(server) == [[core] for core in CORES]


def test_a_core_that_may_not_be_used_is_logged_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    keep_to_core(max(CORES) + 1000)
    assert "cannot run only on core" in caplog.text
    assert sorted(os.sched_getaffinity(0)) == CORES
