"""A worker that dies or hangs is replaced, and no caller gets a wrong answer meanwhile."""

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

import frostgate
import grpc
import pytest
from frostgate import BillingMode, FreezeScope, Operation
from support.calls import Calls, check_of
from support.processes import PATIENCE
from support.runner.sizes import members, size
from support.server_process import PATIENT_STORE, ServerProcess
from support.worker_lives import both_serve, is_gone, settle
from support.worker_processes import (
    connections_to_each,
    eventually,
    holds_lock,
    log_with,
    serving_workers,
    stop_while_it_holds,
)

IMPATIENT = ["--workers", "2", "--drain-period", "1h", "--worker-patience", "3s"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """As `impatient`, for all cases after which there are two workers again."""
    database = tmp_path_factory.mktemp("shared") / "frostgate.db"
    with ServerProcess(database, *IMPATIENT, variables=PATIENT_STORE) as server:
        yield server


@pytest.fixture
def settled(shared: ServerProcess) -> ServerProcess:
    """The shared server, with two workers."""
    settle(shared)
    return shared


@pytest.mark.parametrize(
    "number", members([signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP], short=[signal.SIGKILL, signal.SIGSTOP])
)
def test_a_worker_that_dies_or_hangs_is_replaced(settled: ServerProcess, number: signal.Signals) -> None:
    before = settled.log.read_text()
    victim, survivor = serving_workers(settled)
    os.kill(victim, number)
    eventually(lambda: both_serve(settled, without=victim), "replaced")
    assert survivor in serving_workers(settled)
    with connections_to_each(settled, 1, check_of(customer_id="a")) as found:
        assert sorted(found) == ["1", "2"]
    how = {signal.SIGKILL: "ended by signal 9", signal.SIGTERM: "was asked to drain", signal.SIGSTOP: "hangs"}
    eventually(lambda: "serves as" in settled.log.read_text().removeprefix(before), "said to serve")
    gone, serves = settled.log.read_text().removeprefix(before).splitlines()
    match = re.search(rf"supervisor: .*: worker ([12]) \(process {victim}\) {how[number]}$", gone)
    assert match, gone
    assert re.search(rf"INFO supervisor: .*: worker {match[1]} serves as process \d+$", serves)


def has_loaded(worker: int) -> bool:
    """Whether a worker has begun its heartbeat, in a second thread: before that it is waited for longer."""
    return len(list(Path(f"/proc/{worker}/task").iterdir())) > 1


def test_a_hung_worker_in_reserve_is_noticed_and_takes_no_place(tmp_path: Path) -> None:
    patient_store = Path(PATIENT_STORE["PYTHONPATH"], "sitecustomize.py").read_text()
    early = "from frostgate_server.process import supervisor\nsupervisor.RESERVE_DELAY = 0.0\n"
    (tmp_path / "sitecustomize.py").write_text(patient_store + early)
    variables = {"PYTHONPATH": str(tmp_path)}
    with ServerProcess(tmp_path / "frostgate.db", *IMPATIENT, variables=variables) as server:
        (reserve,) = eventually(lambda: set(server.workers()) - set(serving_workers(server)), "in reserve")
        eventually(partial(has_loaded, reserve), "loaded")
        os.kill(reserve, signal.SIGSTOP)
        os.kill(serving_workers(server)[0], signal.SIGKILL)
        eventually(lambda: len(serving_workers(server)) == 2, "replaced")
        eventually(partial(is_gone, reserve), "ended")


def test_a_worker_one_of_whose_threads_died_ends_and_is_replaced(tmp_path: Path) -> None:
    broken = tmp_path / "sitecustomize.py"
    broken.write_text(
        "from frostgate_server.storage.sqlite import group_commit\n"
        "def die(*_): raise ZeroDivisionError\n"
        "group_commit.GroupCommit._make_group = die\n"
    )
    with ServerProcess(tmp_path / "frostgate.db", "--workers", "1", variables={"PYTHONPATH": str(tmp_path)}) as server:
        with pytest.raises(grpc.RpcError):
            Calls(server).associate(customer_id="a")
        eventually(lambda: "ended with status 1" in server.log.read_text(), "noticed")
        assert log_with(server, "thread group-commit died, so the process ends")
        eventually(lambda: "serves as process" in server.log.read_text(), "replaced")
        assert Calls(server).check(customer_id="a").message


def test_a_supervisor_that_was_stopped_itself_does_not_take_its_workers_for_hung(settled: ServerProcess) -> None:
    before, log = serving_workers(settled), settled.log.read_text()
    settled.process.send_signal(signal.SIGSTOP)
    time.sleep(4)  # longer than a hung worker is left alone
    settled.process.send_signal(signal.SIGCONT)
    time.sleep(1)
    assert serving_workers(settled) == before
    assert settled.log.read_text() == log


def test_all_workers_at_once_are_replaced(settled: ServerProcess) -> None:
    before = serving_workers(settled)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(serving_workers(settled)) - set(before)) == 2, "replaced")
    assert Calls(settled).new_customer()


def test_a_hung_worker_that_holds_the_write_lock_does_not_stop_writes(settled: ServerProcess) -> None:
    victim = serving_workers(settled)[0]
    head_file = settled.log.with_name("frostgate.db-head")
    stop = Event()

    def keep_changing(name: str) -> None:
        with frostgate.Client(settled.address, timeout=PATIENCE) as client:
            client.associate_customer(customer_id=name, partner_id="p")
            while not stop.is_set():
                client.unfreeze_customer(customer_id=name, scope=FreezeScope.ACCOUNT, reason="paid")
                client.freeze_customer(customer_id=name, scope=FreezeScope.ACCOUNT, reason="unpaid")

    with ThreadPoolExecutor(8) as pool:
        changing = [pool.submit(keep_changing, f"c{number}") for number in range(8)]
        eventually(lambda: holds_lock(victim, head_file), "writing")
        stop_while_it_holds(victim, head_file)
        with frostgate.Client(settled.address, timeout=PATIENCE) as client:
            client.associate_customer(customer_id="meanwhile", partner_id="p")
        stop.set()
        for done in changing:
            done.result(PATIENCE)
    eventually(partial(is_gone, victim), "ended")


@pytest.mark.long
def test_clients_do_not_notice_that_workers_die_and_hang(settled: ServerProcess) -> None:
    """Also a call that a hung worker keeps waiting is answered, by another worker."""
    stop = Event()
    calls = Calls(settled)
    normal, frozen = calls.new_customer("NORMAL"), calls.new_customer("ACCOUNT_AND_RESOURCES_FROZEN")

    def keep_asking(_: int) -> int:
        answers = 0
        with frostgate.Client(settled.address, timeout=PATIENCE) as client:
            while not stop.is_set():
                for customer_id, allowed in ((normal, True), (frozen, False)):
                    decision = client.check_operation(
                        customer_id=customer_id,
                        operation=Operation.PURCHASE,
                        billing_mode=BillingMode.YEARLY_MONTHLY,
                    )
                    assert decision.allowed is allowed
                    answers += 1
        return answers

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(keep_asking, number) for number in range(8)]
        for number in [signal.SIGKILL, signal.SIGSTOP] * size(short=1, long=2):
            victim = serving_workers(settled)[0]
            os.kill(victim, number)
            eventually(partial(both_serve, settled, victim), "replaced")
        stop.set()
        assert all(done.result(PATIENCE) > 20 for done in asking)


def test_a_replaced_worker_decides_by_the_policy_that_the_server_began_with(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    rule = """
        [[rules]]
        freeze_state = "ACCOUNT_FROZEN"
        operation = "VIEW"
        billing_modes = ["YEARLY_MONTHLY"]
        decision = "ALLOW"
        message = "Viewing is supported."
    """
    policy.write_text(rule)
    with ServerProcess(tmp_path / "frostgate.db", "--workers", "2", "--policy", str(policy)) as server:
        version = Calls(server).rules().policy_version
        policy.unlink()
        victim = serving_workers(server)[0]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: both_serve(server, without=victim), "replaced")
        with connections_to_each(server, 1, check_of(customer_id="a")) as found:
            assert {Calls(connection).rules().policy_version for (connection,) in found.values()} == {version}


def test_a_worker_that_cannot_join_says_why_and_is_tried_again_while_the_others_serve(two: ServerProcess) -> None:
    head_file = two.log.with_name("frostgate.db-head")
    aside = head_file.rename(head_file.with_name("aside"))
    victim = serving_workers(two)[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: two.log.read_text().count("cannot serve: database") >= 3, "tried again")
    assert "frostgate.db-head was removed while it was served" in two.log.read_text()
    assert len(serving_workers(two)) == 1
    aside.rename(head_file)
    eventually(lambda: both_serve(two, without=victim), "replaced")


def test_a_worker_does_not_join_beside_another_head_file(two: ServerProcess) -> None:
    head_file = two.log.with_name("frostgate.db-head")
    content = head_file.read_bytes()
    head_file.rename(head_file.with_name("aside"))
    head_file.write_bytes(content)
    os.kill(serving_workers(two)[0], signal.SIGKILL)
    eventually(lambda: "frostgate.db-head was replaced while it was served" in two.log.read_text(), "noticed")
