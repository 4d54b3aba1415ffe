"""A worker as its supervisor holds it: a worker that does not read stops nothing."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from frostgate_server.config.loading import configure
from frostgate_server.domain.enums import Decision
from frostgate_server.domain.verification_code import CodeKey
from frostgate_server.policy import loader
from frostgate_server.process.worker_config import WorkerConfig
from frostgate_server.process.worker_handle import WorkerHandle
from frostgate_server.storage.sqlite.opening import prepare_store
from support.worker_processes import eventually, is_stopped

LARGE = b"x" * 1_000_000
"""More than a pipe holds."""


def config_of(database: Path) -> WorkerConfig:
    return WorkerConfig(
        number=1,
        core=None,
        listeners=("no address",),
        mtls_listeners=(),
        database=prepare_store(database, create=True),
        policy=loader.load(None, Decision.DENY),
        code_key=CodeKey(LARGE),
        settings=configure({"database": str(database)}, {}, None).settings,
        callers_file=None,
        last_good={},
        probe_directory=database.parent,
    )


@pytest.fixture
def stopped() -> Iterator[WorkerHandle]:
    """A worker that is stopped before it reads its config."""
    worker = WorkerHandle([])
    os.kill(worker.pid, signal.SIGSTOP)
    assert is_stopped(worker.pid)
    yield worker
    worker.kill()
    eventually(partial(has_ended, worker), "killed")
    worker.release()


def has_ended(worker: WorkerHandle) -> bool:
    worker.listen()
    return worker.status is not None


def test_a_worker_that_does_not_read_its_config_does_not_stop_the_supervisor(
    stopped: WorkerHandle, tmp_path: Path
) -> None:
    stopped.begin(config_of(tmp_path / "frostgate.db"))
    stopped.listen()
    os.kill(stopped.pid, signal.SIGCONT)
    eventually(partial(has_ended, stopped), "read")
    assert stopped.failure.startswith("cannot listen on no address: ")


def test_a_worker_whose_supervisor_lets_go_in_the_middle_of_the_config_ends(
    stopped: WorkerHandle, tmp_path: Path
) -> None:
    stopped.begin(config_of(tmp_path / "frostgate.db"))
    stopped.drain()
    os.kill(stopped.pid, signal.SIGCONT)
    eventually(partial(has_ended, stopped), "ended")
    assert (stopped.status, stopped.failure) == (0, "")
