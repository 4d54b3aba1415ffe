"""A worker that is slow is left alone for as long as the settings say."""

import os
import signal
import time
from pathlib import Path

import pytest
from support.runner.sizes import members
from support.server_process import ServerProcess, refused_start
from support.worker_processes import eventually, is_stopped, serving_workers


def test_a_worker_that_is_silent_for_less_than_the_patience_is_not_replaced(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--workers", "2", "--worker-patience", "1h") as server:
        before = serving_workers(server)
        os.kill(before[0], signal.SIGSTOP)
        assert is_stopped(before[0])
        time.sleep(3)  # a negative has no event to wait for
        os.kill(before[0], signal.SIGCONT)
        os.kill(before[1], signal.SIGKILL)
        after = eventually(
            lambda: len(found := serving_workers(server)) == 2 and before[1] not in found and found, "two"
        )
        assert before[0] in after
        assert "hangs" not in server.log.read_text()


@pytest.mark.parametrize("patience", members(["999ms", "61m", "ten", "0s"], short=["999ms"]))
def test_a_patience_that_cannot_be_is_refused(tmp_path: Path, patience: str) -> None:
    said = refused_start("serve", "--database", str(tmp_path / "frostgate.db"), "--worker-patience", patience)
    assert "worker_patience (from --worker-patience) must be " in said
    assert f"but is {patience!r}" in said
