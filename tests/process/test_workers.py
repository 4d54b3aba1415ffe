"""Workers share a port and a database: what dies or hangs is replaced, and nobody is told anything wrong meanwhile."""

import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import frostgate
import grpc
import pytest
from frostgate import BillingMode, FreezeScope, Operation
from frostgate.v1.customer_freeze_service_pb2 import FreezeCustomerRequest, UnfreezeCustomerRequest
from frostgate_server.storage.sqlite.driver import sqlite3
from support.calls import ACCOUNT, Calls, check_of
from support.processes import PATIENCE, Process
from support.server_process import COMMAND, PATIENT_STORE, Connection, ServerProcess, refused_start
from support.sizes import size
from support.worker_processes import (
    checked,
    connections_to_each,
    eventually,
    holds_lock,
    is_stopped,
    serving_workers,
    stop_while_it_holds,
    worker_of,
)

EVERYWHERE = "0.0.0.0"  # noqa: S104 - with a port that is taken or given up at once


@pytest.fixture
def two(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with two workers, whatever the machine has."""
    with ServerProcess(tmp_path / "frostgate.db", "--workers", "2") as server:
        yield server


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with two workers that replaces a hung one soon, but not one that only waits for a loaded machine."""
    flags = ["--workers", "2", "--worker-patience", "3s"]
    with ServerProcess(tmp_path / "frostgate.db", *flags, variables=PATIENT_STORE) as server:
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


def test_a_worker_that_is_asked_to_drain_answers_what_it_has(impatient: ServerProcess) -> None:
    customer_id = Calls(impatient).new_customer()
    with blocked(impatient) as blocker:
        under_way = unfreezing(impatient, customer_id)
        assert Calls(impatient).check(customer_id=customer_id).message
        victims = serving_workers(impatient)
        for pid in victims:
            os.kill(pid, signal.SIGTERM)
        eventually(lambda: len(set(serving_workers(impatient)) - set(victims)) == 2, "replaced")
        time.sleep(4)  # longer than a hung worker is left alone
        assert not under_way.done()
        blocker.execute("ROLLBACK")
    assert under_way.result().message == "The account is unfrozen."
    for pid in victims:
        eventually(partial(is_gone, pid), "ended")


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
        assert "group-commit died, and the process with it" in server.log.read_text()
        eventually(lambda: "serves as process" in server.log.read_text(), "replaced")
        assert Calls(server).check(customer_id="a").message


def test_a_hung_worker_does_not_keep_the_others_from_draining(impatient: ServerProcess) -> None:
    head_file = impatient.log.with_name("frostgate.db-head")
    victim = serving_workers(impatient)[0]
    customer_id = Calls(impatient).new_customer()
    with blocked(impatient) as blocker:
        under_way = unfreezing(impatient, customer_id)
        holder = eventually(
            lambda: [pid for pid in serving_workers(impatient) if holds_lock(pid, head_file)], "writing"
        )[0]
        victim = next(pid for pid in serving_workers(impatient) if pid != holder)
        os.kill(victim, signal.SIGSTOP)
        assert is_stopped(victim)
        impatient.process.terminate()
        eventually(partial(is_gone, victim), "killed")
        assert not under_way.done()
        blocker.execute("ROLLBACK")
    assert under_way.result().message == "The account is unfrozen."
    assert impatient.process.wait(PATIENCE) == 0
    assert f"process {victim} hangs as it drains: killing it" in impatient.log.read_text()


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


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_workers_of_a_supervisor_that_died_answer_what_they_have_and_end(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with ServerProcess(database, "--workers", "2") as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait(PATIENCE)
        for pid in workers:
            eventually(partial(is_gone, pid), "ended")
    with ServerProcess(database, "--workers", "2", "--listen", server.address) as again:
        assert Calls(again).new_customer()


@contextmanager
def blocked(server: ServerProcess) -> Iterator[sqlite3.Connection]:
    """No change goes on in the meantime, until the connection given rolls back."""
    database = server.log.with_name("frostgate.db")
    with closing(sqlite3.connect(database, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        yield blocker


def unfreezing(server: ServerProcess, customer_id: str) -> Any:
    """A change under way."""
    request = UnfreezeCustomerRequest(customer_id=customer_id, scope=ACCOUNT, reason="paid")
    return server.freezes.UnfreezeCustomer.future(request, timeout=PATIENCE)


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "<&- >&-"])
def test_workers_that_outlive_their_supervisor_keep_port_and_database_until_they_end(
    tmp_path: Path, closed: str
) -> None:
    database, log = tmp_path / "frostgate.db", tmp_path / "log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    command = [*COMMAND, "serve", "--workers", "2", "--listen", listen, "--database", str(database), "--create"]
    shell = ["/bin/sh", "-c", f"exec {shlex.join(command)} 2>{log} {closed or '>/dev/null'}"]
    with Process(shell, variables=PATIENT_STORE) as process, Connection(listen) as connection:
        grpc.channel_ready_future(connection.channel).result(PATIENCE)
        customer_id = Calls(connection).new_customer()
        with closing(sqlite3.connect(database, isolation_level=None)) as blocker:
            blocker.execute("BEGIN IMMEDIATE")
            request = UnfreezeCustomerRequest(customer_id=customer_id, scope=ACCOUNT, reason="paid")
            under_way = connection.freezes.UnfreezeCustomer.future(request, timeout=PATIENCE)
            assert Calls(connection).check(customer_id=customer_id).message
            process.kill()
            process.wait(PATIENCE)
            elsewhere = ["--database", f"{tmp_path}/other.db", "--create"]
            assert "Address already in use" in refused_start("serve", "--listen", listen, *elsewhere)
            line = refused_start("serve", "--listen", "127.0.0.1:0", "--database", str(database))
            assert f"is in use by workers of process {process.pid}, which is gone" in line
            assert not under_way.done()
            blocker.execute("ROLLBACK")
        assert under_way.result().message == "The account is unfrozen."


@contextmanager
def started_at_once(tmp_path: Path, listens: list[str]) -> Iterator[list[Process]]:
    """A server for each address, with a database of its own, all started before any is waited for."""
    flags = ["serve", "--workers", "1", "--create", "--insecure"]
    with ExitStack() as started:
        yield [
            started.enter_context(
                Process(
                    [*COMMAND, *flags, "--listen", listen, "--database", f"{tmp_path}/{n}.db"], stderr=subprocess.PIPE
                )
            )
            for n, listen in enumerate(listens)
        ]


@pytest.mark.parametrize(
    "hosts",
    [["127.0.0.1"] * 4, ["localhost", "127.0.0.1"] * 2, [EVERYWHERE, "[::1]"] * 2, ["unix"] * 4],
    ids=["one address", "a name and its address", "all addresses and one", "a unix socket"],
)
def test_of_servers_that_start_at_once_on_one_address_one_gets_it(tmp_path: Path, hosts: list[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listens = [f"unix:{tmp_path}/socket" if host == "unix" else f"{host}:{port}" for host in hosts]
    with started_at_once(tmp_path, listens) as processes:
        said = [process.next_line() for process in processes]
        for process in processes:
            process.terminate()
        logs = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    ready = [listen for listen, line in zip(listens, said, strict=True) if line]
    refused = [(listen, log) for listen, line, log in zip(listens, said, logs, strict=True) if not line]
    why = "another process does" if "unix" in hosts else "Address already in use"
    assert refused == [(listen, f"frostgate-server: cannot listen on {listen}: {why}\n") for listen, _ in refused]
    assert len(ready) == 1


def test_nothing_is_loaded_from_the_directory_that_a_server_is_started_in(tmp_path: Path) -> None:
    (tmp_path / "grpc.py").write_text("raise SystemExit('loaded from where the server was started')")
    command = [str(Path(sys.executable).with_name("frostgate-server")), "serve", "--listen", "127.0.0.1:0"]
    with Process(command, cwd=tmp_path) as process:
        assert "is ready on" in process.next_line()
        assert process.terminated() == 0


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
    eventually(lambda: two.log.read_text().count("cannot serve: database") >= 3, "tried again")
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


@pytest.mark.long
def test_a_change_on_one_worker_is_seen_by_the_others_from_its_answer_on(two: ServerProcess) -> None:
    pairs, callers = size(short=4_000, long=200_000), 8
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
