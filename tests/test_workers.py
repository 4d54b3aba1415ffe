"""Workers share a port and a database: what dies or hangs is replaced, and nobody is told anything wrong meanwhile."""

import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import frostgate
import grpc
import pytest
from calls import ACCOUNT, Calls, check_of
from frostgate import BillingMode, FreezeScope, Operation
from frostgate.v1.customer_freeze_service_pb2 import FreezeCustomerRequest, UnfreezeCustomerRequest
from frostgate_server.sqlite_store.library import sqlite3
from server_process import COMMAND, Connection, ServerProcess, environment, refused_start
from worker_processes import (
    PATIENCE,
    checked,
    connections_to_each,
    eventually,
    holds_lock,
    serving_workers,
    stop_while_it_holds,
    worker_of,
)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with two workers, whatever the machine has."""
    with ServerProcess(tmp_path / "frostgate.db", "--workers", "2") as server:
        yield server


def both_serve(server: ServerProcess, without: int) -> bool:
    workers = serving_workers(server)
    return len(workers) == 2 and without not in workers


def test_every_answer_names_its_worker_and_so_does_every_refusal(two: ServerProcess) -> None:
    with connections_to_each(two, 1, check_of(customer_id="a")) as found:
        assert sorted(found) == ["1", "2"]
        for worker, (connection,) in found.items():
            with pytest.raises(grpc.RpcError) as refused:
                Calls(connection).check(customer_id="")
            assert worker_of(refused.value) == worker


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_is_replaced(two: ServerProcess, number: signal.Signals) -> None:
    victim, survivor = serving_workers(two)
    os.kill(victim, number)
    eventually(lambda: both_serve(two, without=victim), "replaced")
    assert survivor in serving_workers(two)
    with connections_to_each(two, 1, check_of(customer_id="a")) as found:
        assert sorted(found) == ["1", "2"]
    how = {
        signal.SIGKILL: "ended by signal 9",
        signal.SIGTERM: "ended with status 0",
        signal.SIGSTOP: "hangs",
    }
    (line,) = two.log.read_text().splitlines()
    assert re.search(rf"WARNING supervisor: .*: worker [12] \(process {victim}\) {how[number]}: replacing it", line)


def test_all_workers_at_once_are_replaced(two: ServerProcess) -> None:
    before = serving_workers(two)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(serving_workers(two)) - set(before)) == 2, "replaced")
    assert Calls(two).new_customer()


def test_a_hung_worker_that_holds_the_write_lock_does_not_stop_writes(two: ServerProcess) -> None:
    victim = serving_workers(two)[0]
    head_file = two.log.with_name("frostgate.db-head")
    stop = Event()

    def keep_changing(name: str) -> None:
        with frostgate.Client(two.address, timeout=20.0) as client:
            client.associate_customer(customer_id=name, partner_id="p")
            while not stop.is_set():
                client.unfreeze_customer(customer_id=name, scope=FreezeScope.ACCOUNT, reason="paid")
                client.freeze_customer(customer_id=name, scope=FreezeScope.ACCOUNT, reason="unpaid")

    with ThreadPoolExecutor(8) as pool:
        changing = [pool.submit(keep_changing, f"c{number}") for number in range(8)]
        eventually(lambda: holds_lock(victim, head_file), "writing")
        stop_while_it_holds(victim, head_file)
        began = time.monotonic()
        with frostgate.Client(two.address, timeout=10.0) as client:
            client.associate_customer(customer_id="meanwhile", partner_id="p")
        waited = time.monotonic() - began
        stop.set()
        for done in changing:
            done.result(60)
    assert victim not in two.workers()
    assert waited < 5


def test_clients_do_not_notice_that_workers_die_and_hang(two: ServerProcess) -> None:
    """Deadlines of 6 s: a hung worker is found out within 2, and what it kept waiting is tried again elsewhere."""
    stop = Event()
    calls = Calls(two)
    normal, frozen = calls.new_customer("NORMAL"), calls.new_customer("ACCOUNT_AND_RESOURCES_FROZEN")

    def keep_asking(_: int) -> int:
        answers = 0
        with frostgate.Client(two.address, timeout=6.0) as client:
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
            victim = serving_workers(two)[0]
            os.kill(victim, number)
            began = time.monotonic()
            eventually(partial(both_serve, two, victim), "replaced")
            print(f"{number.name}: both serve again after {time.monotonic() - began:.2f} s")
        stop.set()
        assert all(done.result(60) > 100 for done in asking)


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_workers_of_a_supervisor_that_died_answer_what_they_have_and_end(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with ServerProcess(database, "--workers", "2") as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait()
        for pid in workers:
            eventually(partial(is_gone, pid), "ended")
    with ServerProcess(database, "--workers", "2", "--listen", server.address) as again:
        assert Calls(again).new_customer()


def test_workers_that_outlive_their_supervisor_keep_port_and_database_until_they_end(two: ServerProcess) -> None:
    database = two.log.with_name("frostgate.db")
    customer_id = Calls(two).new_customer()
    with closing(sqlite3.connect(database, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        unfreeze = UnfreezeCustomerRequest(customer_id=customer_id, scope=ACCOUNT, reason="paid")
        under_way = two.freezes.UnfreezeCustomer.future(unfreeze, timeout=PATIENCE)
        assert Calls(two).check(customer_id=customer_id).message
        two.process.kill()
        two.process.wait()
        elsewhere = ["--database", str(database.with_name("other.db")), "--create"]
        assert "Address already in use" in refused_start("serve", "--listen", two.address, *elsewhere)
        assert "is in use by process" in refused_start("serve", "--listen", "127.0.0.1:0", "--database", str(database))
        assert not under_way.done()
        blocker.execute("ROLLBACK")
    assert under_way.result().message == "The account is unfrozen."


def test_of_servers_that_start_at_once_on_one_port_one_gets_it(tmp_path: Path) -> None:
    for attempt in range(3):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{free.getsockname()[1]}"
        processes = [
            subprocess.Popen(
                [*COMMAND, "serve", "--listen", listen, "--database", f"{tmp_path}/{attempt}-{number}.db", "--create"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
            )
            for number in range(4)
        ]
        lines = []
        for process in processes:
            assert process.stdout is not None
            lines.append(process.stdout.readline())
        assert sorted(bool(line) for line in lines) == [False, False, False, True], lines
        for process in processes:
            process.terminate()
            said = process.communicate(timeout=PATIENCE)[1]
            assert process.returncode == 0 or said == (
                f"frostgate-server: cannot listen on {listen}: Address already in use\n"
            )


def test_workers_cannot_share_a_unix_socket(tmp_path: Path) -> None:
    listen = f"unix:{tmp_path}/socket"
    line = refused_start("serve", "--listen", listen, "--database", f"{tmp_path}/f.db", "--create", "--workers", "2")
    assert line == f"2 workers cannot share {listen}: take --workers 1, or a port"


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
    eventually(lambda: two.log.read_text().count("cannot serve: database") >= 2, "tried again")
    assert "No such file or directory" in two.log.read_text()
    assert len(serving_workers(two)) == 1
    aside.rename(head_file)
    eventually(lambda: both_serve(two, without=victim), "replaced")


def test_a_worker_does_not_join_beside_another_head_file(two: ServerProcess) -> None:
    head_file = two.log.with_name("frostgate.db-head")
    content = head_file.read_bytes()
    head_file.rename(head_file.with_name("aside"))
    head_file.write_bytes(content)
    os.kill(serving_workers(two)[0], signal.SIGKILL)
    eventually(lambda: "-head file was replaced while it was served" in two.log.read_text(), "noticed")


def changed(connection: Connection, customer_id: str, *, frozen: bool) -> tuple[Any, str]:
    """Freezes or unfreezes an account. Gives the answer, and the worker that gave it."""
    if frozen:
        freeze = FreezeCustomerRequest(customer_id=customer_id, scope=ACCOUNT, reason="unpaid")
        answer, call = connection.freezes.FreezeCustomer.with_call(freeze, timeout=PATIENCE)
        return answer, worker_of(call)
    unfreeze = UnfreezeCustomerRequest(customer_id=customer_id, scope=ACCOUNT, reason="paid")
    unfrozen, call = connection.freezes.UnfreezeCustomer.with_call(unfreeze, timeout=PATIENCE)
    return unfrozen, worker_of(call)


def test_a_change_on_one_worker_is_seen_by_the_others_from_its_answer_on(
    two: ServerProcess, pytestconfig: pytest.Config
) -> None:
    pairs, callers = int(pytestconfig.getoption("pairs")), 8
    calls = Calls(two)
    customers = [calls.new_customer("NORMAL") for _ in range(callers)]

    def change_and_check(connections: list[Connection], customer_id: str) -> tuple[int, int]:
        """Gives how many pairs met two workers, and how many answers were stale."""
        chance, crossed, stale = random.Random(customer_id), 0, 0
        one, other = connections
        ways = [(one, other), (other, one)] * 2 + [(one, one), (other, other)]
        for number in range(pairs // callers):
            writer, reader = chance.choice(ways)
            change, changed_by = changed(writer, customer_id, frozen=number % 2 == 0)
            answer, worker = checked(reader, check_of(customer_id=customer_id))
            crossed += worker != changed_by
            stale += answer.freeze_state != change.customer.freeze_state or answer.revision < change.revision
        return crossed, stale

    with (
        connections_to_each(two, callers, check_of(customer_id="a")) as found,
        ThreadPoolExecutor(callers) as pool,
    ):
        counted = list(pool.map(change_and_check, map(list, zip(*found.values(), strict=True)), customers))
    made = pairs // callers * callers
    crossed, stale = (sum(counts) for counts in zip(*counted, strict=True))
    print(f"{made} pairs, {crossed} across workers, {stale} stale")
    assert crossed >= 0.4 * made, "too few pairs met two workers: this run proves nothing"
    assert stale == 0
