"""A worker whose probe fails is replaced: one at a time, so that what slows all workers does not end them all."""

import os
import re
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
from support.worker_lives import blocked, is_gone, settle, unfreezing
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


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """For all cases after which there are two workers again."""
    with probed_server(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def probed(shared: ServerProcess) -> ServerProcess:
    """The shared server, with two workers. The probe of each fails while there is a file with its process id."""
    settle(shared)
    return shared


def said(server: ServerProcess, before: str = "") -> list[str]:
    """What the log says of workers, in order, behind what it said before."""
    new = server.log.read_text().removeprefix(before)
    found = re.finditer(r"\(process \d+\) (hangs$|cannot serve)|worker \d (serves)", new, re.MULTILINE)
    return [match[1] or match[2] for match in found]


def let_hang(server: ServerProcess, pids: list[int]) -> None:
    """Lets the probes of these processes fail."""
    for pid in pids:
        server.log.with_name(str(pid)).touch()


def test_workers_that_hang_at_the_same_time_are_replaced_one_after_the_other(probed: ServerProcess) -> None:
    log, before = probed.log.read_text(), serving_workers(probed)
    let_hang(probed, before)
    eventually(lambda: len(said(probed, log)) == 4, "replaced")
    assert said(probed, log) == ["hangs", "serves"] * 2
    assert not set(serving_workers(probed)) & set(before)
    assert Calls(probed).new_customer()


def test_a_worker_that_hangs_is_replaced_too_once_the_replacement_of_another_one_failed(probed: ServerProcess) -> None:
    log, head_file = probed.log.read_text(), probed.log.with_name("frostgate.db-head")
    aside = head_file.rename(head_file.with_name("aside"))
    let_hang(probed, serving_workers(probed))
    eventually(lambda: said(probed, log).count("hangs") == 2, "both noticed")
    assert said(probed, log)[:2] == ["hangs", "cannot serve"]
    aside.rename(head_file)
    eventually(lambda: said(probed, log).count("serves") == 2, "both replaced")


def test_a_worker_whose_probe_fails_for_less_than_the_patience_stays(tmp_path: Path) -> None:
    with probed_server(tmp_path, patience="1h") as server:
        slow, killed = serving_workers(server)
        let_hang(server, [slow])
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: said(server) == ["serves"], "replaced")
        assert slow in serving_workers(server)


def test_a_worker_that_drains_is_not_probed(probed: ServerProcess) -> None:
    before, customer_id = probed.log.read_text(), Calls(probed).new_customer()
    with blocked(probed) as blocker:
        under_way = unfreezing(probed, customer_id)
        assert Calls(probed).check(customer_id=customer_id).message
        victims = serving_workers(probed)
        for pid in victims:
            os.kill(pid, signal.SIGTERM)
        eventually(lambda: asked_to_drain(probed, before) == 2, "asked to drain")
        let_hang(probed, victims)
        with pytest.raises(grpc.FutureTimeoutError):
            under_way.exception(5)  # longer than a hung worker is left alone
        blocker.execute("ROLLBACK")
    assert under_way.result().message == "The account is unfrozen."
    for pid in victims:
        eventually(partial(is_gone, pid), "ended")
    assert "hangs" not in probed.log.read_text().removeprefix(before)


def asked_to_drain(server: ServerProcess, before: str) -> int:
    return server.log.read_text().removeprefix(before).count("was asked to drain")
