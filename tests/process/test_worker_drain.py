"""Workers drain: alone, beside a hung one, and without their supervisor."""

import os
import shlex
import signal
import socket
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import grpc
import pytest
from frostgate.v1.customer_freeze_service_pb2 import UnfreezeCustomerRequest
from frostgate_server.storage.sqlite.driver import sqlite3
from support.calls import ACCOUNT, Calls
from support.processes import PATIENCE, Process
from support.server_process import COMMAND, PATIENT_STORE, Connection, ServerProcess, refused_start
from support.worker_lives import blocked, is_gone, unfreezing
from support.worker_processes import (
    eventually,
    holds_lock,
    is_stopped,
    serving_workers,
)


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


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "<&- >&-"])
def test_workers_that_outlive_their_supervisor_keep_port_and_database_until_they_end(
    tmp_path: Path, closed: str
) -> None:
    database, log = tmp_path / "frostgate.db", tmp_path / "log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    command = [*COMMAND, "serve", "--workers", "2", "--listen", listen, "--database", str(database), "--create"]
    command += ["--drain-period", "1h"]
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
