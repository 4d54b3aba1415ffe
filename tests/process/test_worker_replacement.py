"""A worker that dies or hangs is replaced, and no caller gets a wrong answer meanwhile."""

import os
import re
import signal
import time
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
from support.server_process import ServerProcess
from support.worker_lives import both_serve, is_gone
from support.worker_processes import (
    connections_to_each,
    eventually,
    holds_lock,
    log_with,
    serving_workers,
    stop_while_it_holds,
)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_is_replaced(impatient: ServerProcess, number: signal.Signals) -> None:
    victim, survivor = serving_workers(impatient)
    os.kill(victim, number)
    eventually(lambda: both_serve(impatient, without=victim), "replaced")
    assert survivor in serving_workers(impatient)
    with connections_to_each(impatient, 1, check_of(customer_id="a")) as found:
        assert sorted(found) == ["1", "2"]
    how = {signal.SIGKILL: "ended by signal 9", signal.SIGTERM: "was asked to drain", signal.SIGSTOP: "hangs"}
    eventually(lambda: "serves as" in impatient.log.read_text(), "said to serve")
    gone, serves = impatient.log.read_text().splitlines()
    match = re.search(rf"supervisor: .*: worker ([12]) \(process {victim}\) {how[number]}$", gone)
    assert match, gone
    assert re.search(rf"INFO supervisor: .*: worker {match[1]} serves as process \d+$", serves)


def test_a_hung_worker_in_reserve_is_noticed_and_takes_no_place(impatient: ServerProcess) -> None:
    (reserve,) = eventually(lambda: set(impatient.workers()) - set(serving_workers(impatient)), "in reserve")
    time.sleep(1)  # until it has loaded: before that it is waited for longer
    os.kill(reserve, signal.SIGSTOP)
    os.kill(serving_workers(impatient)[0], signal.SIGKILL)
    eventually(lambda: len(serving_workers(impatient)) == 2, "replaced")
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
        assert log_with(server, "group-commit died, and the process with it")
        eventually(lambda: "serves as process" in server.log.read_text(), "replaced")
        assert Calls(server).check(customer_id="a").message


def test_a_supervisor_that_was_stopped_itself_does_not_take_its_workers_for_hung(impatient: ServerProcess) -> None:
    before = serving_workers(impatient)
    impatient.process.send_signal(signal.SIGSTOP)
    time.sleep(6)  # twice as long as a hung worker is left alone
    impatient.process.send_signal(signal.SIGCONT)
    time.sleep(1)
    assert serving_workers(impatient) == before
    assert impatient.log.read_text() == ""


def test_all_workers_at_once_are_replaced(two: ServerProcess) -> None:
    before = serving_workers(two)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(serving_workers(two)) - set(before)) == 2, "replaced")
    assert Calls(two).new_customer()


def test_a_hung_worker_that_holds_the_write_lock_does_not_stop_writes(impatient: ServerProcess) -> None:
    victim = serving_workers(impatient)[0]
    head_file = impatient.log.with_name("frostgate.db-head")
    stop = Event()

    def keep_changing(name: str) -> None:
        with frostgate.Client(impatient.address, timeout=PATIENCE) as client:
            client.associate_customer(customer_id=name, partner_id="p")
            while not stop.is_set():
                client.unfreeze_customer(customer_id=name, scope=FreezeScope.ACCOUNT, reason="paid")
                client.freeze_customer(customer_id=name, scope=FreezeScope.ACCOUNT, reason="unpaid")

    with ThreadPoolExecutor(8) as pool:
        changing = [pool.submit(keep_changing, f"c{number}") for number in range(8)]
        eventually(lambda: holds_lock(victim, head_file), "writing")
        stop_while_it_holds(victim, head_file)
        with frostgate.Client(impatient.address, timeout=PATIENCE) as client:
            client.associate_customer(customer_id="meanwhile", partner_id="p")
        stop.set()
        for done in changing:
            done.result(PATIENCE)
    eventually(partial(is_gone, victim), "ended")


def test_clients_do_not_notice_that_workers_die_and_hang(impatient: ServerProcess) -> None:
    """Also a call that a hung worker keeps waiting is answered, by another worker."""
    stop = Event()
    calls = Calls(impatient)
    normal, frozen = calls.new_customer("NORMAL"), calls.new_customer("ACCOUNT_AND_RESOURCES_FROZEN")

    def keep_asking(_: int) -> int:
        answers = 0
        with frostgate.Client(impatient.address, timeout=PATIENCE) as client:
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
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL, signal.SIGSTOP):
            victim = serving_workers(impatient)[0]
            os.kill(victim, number)
            eventually(partial(both_serve, impatient, victim), "replaced")
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
