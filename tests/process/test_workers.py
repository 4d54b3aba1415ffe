"""Workers share a port and a database."""

import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from frostgate.v1.customer_freeze_service_pb2 import FreezeCustomerRequest, UnfreezeCustomerRequest
from support.calls import ACCOUNT, Calls, check_of
from support.processes import PATIENCE, Process
from support.runner.sizes import members, size
from support.server_process import COMMAND, Connection, ServerProcess, refused_start
from support.worker_processes import (
    checked,
    connections_to_each,
    worker_of,
)

EVERYWHERE = "0.0.0.0"  # noqa: S104 - with a port that is taken or given up at once


def test_every_answer_names_its_worker_and_so_does_every_refusal(two: ServerProcess) -> None:
    with connections_to_each(two, 1, check_of(customer_id="a")) as found:
        assert sorted(found) == ["1", "2"]
        for worker, (connection,) in found.items():
            with pytest.raises(grpc.RpcError) as refused:
                Calls(connection).check(customer_id="")
            assert worker_of(refused.value) == worker


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


HOSTS = {
    "one address": ["127.0.0.1"] * 4,
    "a name and its address": ["localhost", "127.0.0.1"] * 2,
    "all addresses and one": [EVERYWHERE, "[::1]"] * 2,
    "a unix socket": ["unix"] * 4,
}


@pytest.mark.parametrize("kind", members(HOSTS, short=["one address", "a unix socket"]))
def test_of_servers_that_start_at_once_on_one_address_one_gets_it(tmp_path: Path, kind: str) -> None:
    hosts = HOSTS[kind]
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
    for listen, log in refused:
        assert log.startswith(f"frostgate-server: cannot listen on {listen}: Address already in use")
        assert log.count("\n") == 1
    assert len(ready) == 1


def test_nothing_is_loaded_from_the_directory_that_a_server_is_started_in(tmp_path: Path) -> None:
    (tmp_path / "grpc.py").write_text("raise SystemExit('loaded from where the server was started')")
    command = [str(Path(sys.executable).with_name("frostgate-server")), "serve", "--listen", "127.0.0.1:0"]
    command += ["--workers", "1"]
    with Process(command, cwd=tmp_path) as process:
        assert "is ready on" in process.next_line()
        assert process.terminated() == 0


def test_workers_cannot_share_a_unix_socket(tmp_path: Path) -> None:
    listen = f"unix:{tmp_path}/socket"
    line = refused_start("serve", "--listen", listen, "--database", f"{tmp_path}/f.db", "--create", "--workers", "2")
    assert line == f"2 workers cannot share {listen}: set --workers 1, or listen on a port"


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
    pairs, callers = size(short=800, long=40_000), 8
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
