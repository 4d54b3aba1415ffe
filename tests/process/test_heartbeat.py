"""A worker whose probe fails is replaced: one at a time, so that what slows all workers does not end them all."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event

import grpc
import pytest
from frostgate_server.process.heartbeat import Heartbeat
from support.calls import Calls
from support.processes import PATIENCE
from support.server_process import PATIENT_STORE, ServerProcess
from support.worker_lives import blocked, is_gone, unfreezing
from support.worker_processes import eventually, serving_workers

PROBE_BY_FILE = """
import os
from pathlib import Path
from frostgate_server.process.heartbeat import Heartbeat

class FileProbe:
    def is_alive(self):
        return not Path({directory!r}, str(os.getpid())).exists()

follow = Heartbeat.follow
Heartbeat.follow = lambda self, probe: follow(self, FileProbe())
"""

SAID = r"\(process \d+\) (hangs$|cannot serve)|worker \d (serves)"


class SwitchedProbe:
    """A probe that a test switches off. `asked` is set whenever it is asked."""

    def __init__(self) -> None:
        self.alive = True
        self.asked = Event()

    def is_alive(self) -> bool:
        self.asked.set()
        return self.alive


def next_time(event: Event) -> bool:
    event.clear()
    return event.wait(PATIENCE)


def test_a_heartbeat_goes_on_plainly_or_only_while_the_probe_is_alive() -> None:
    beaten, probe = Event(), SwitchedProbe()
    heartbeat = Heartbeat(beaten.set)
    assert next_time(beaten)
    probe.alive = False
    heartbeat.follow(probe)
    assert next_time(probe.asked)
    beaten.clear()
    for _ in range(3):
        assert next_time(probe.asked)
    assert not beaten.is_set()
    probe.alive = True
    assert next_time(beaten)
    probe.alive = False
    heartbeat.beat_plainly()
    assert next_time(beaten)


@contextmanager
def probed_server(tmp_path: Path, patience: str = "3s") -> Iterator[ServerProcess]:
    """A server with two workers. The probe of each fails while there is a file with its process id."""
    patient_store = Path(PATIENT_STORE["PYTHONPATH"], "sitecustomize.py").read_text()
    (tmp_path / "sitecustomize.py").write_text(patient_store + PROBE_BY_FILE.format(directory=str(tmp_path)))
    variables = {"PYTHONPATH": str(tmp_path)}
    flags = ["--workers", "2", "--drain-period", "1h", "--worker-patience", patience]
    with ServerProcess(tmp_path / "frostgate.db", *flags, variables=variables) as server:
        yield server


def said(server: ServerProcess) -> list[str]:
    """What the log says of workers, in order."""
    found = re.finditer(
        r"\(process \d+\) (hangs$|cannot serve)|worker \d (serves)", server.log.read_text(), re.MULTILINE
    )
    return [match[1] or match[2] for match in found]


def test_workers_that_hang_at_the_same_time_are_replaced_one_after_the_other(tmp_path: Path) -> None:
    with probed_server(tmp_path) as server:
        before = serving_workers(server)
        for pid in before:
            (tmp_path / str(pid)).touch()
        eventually(lambda: len(said(server)) == 4, "replaced")
        assert said(server) == ["hangs", "serves"] * 2
        assert not set(serving_workers(server)) & set(before)
        assert Calls(server).new_customer()


def test_a_worker_that_hangs_is_replaced_too_once_the_replacement_of_another_one_failed(tmp_path: Path) -> None:
    with probed_server(tmp_path) as server:
        head_file = tmp_path / "frostgate.db-head"
        shutil.move(head_file, tmp_path / "aside")
        before = serving_workers(server)
        for pid in before:
            (tmp_path / str(pid)).touch()
        eventually(lambda: said(server).count("hangs") == 2, "both noticed")
        assert said(server)[:2] == ["hangs", "cannot serve"]
        shutil.move(tmp_path / "aside", head_file)
        eventually(lambda: said(server).count("serves") == 2, "both replaced")


def test_a_worker_whose_probe_fails_for_less_than_the_patience_stays(tmp_path: Path) -> None:
    with probed_server(tmp_path, patience="1h") as server:
        slow, killed = serving_workers(server)
        (tmp_path / str(slow)).touch()
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: said(server) == ["serves"], "replaced")
        assert slow in serving_workers(server)


def test_a_worker_that_drains_is_not_probed(tmp_path: Path) -> None:
    with probed_server(tmp_path) as server:
        customer_id = Calls(server).new_customer()
        with blocked(server) as blocker:
            under_way = unfreezing(server, customer_id)
            assert Calls(server).check(customer_id=customer_id).message
            victims = serving_workers(server)
            for pid in victims:
                os.kill(pid, signal.SIGTERM)
            eventually(lambda: server.log.read_text().count("was asked to drain") == 2, "asked to drain")
            for pid in victims:
                (tmp_path / str(pid)).touch()
            with pytest.raises(grpc.FutureTimeoutError):
                under_way.exception(5)  # longer than a hung worker is left alone
            blocker.execute("ROLLBACK")
        assert under_way.result().message == "The account is unfrozen."
        for pid in victims:
            eventually(partial(is_gone, pid), "ended")
        assert "hangs" not in server.log.read_text()
