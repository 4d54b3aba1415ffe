"""Workers that end, and changes that are blocked."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from frostgate.v1.customer_freeze_service_pb2 import UnfreezeCustomerRequest
from frostgate_server.storage.sqlite.driver import sqlite3
from support.calls import ACCOUNT
from support.processes import PATIENCE
from support.server_process import ServerProcess
from support.worker_processes import eventually, serving_workers


def both_serve(server: ServerProcess, without: int) -> bool:
    workers = serving_workers(server)
    return len(workers) == 2 and without not in workers


def settle(server: ServerProcess) -> None:
    """Waits until two workers serve, and the log says so for each replacement."""
    eventually(lambda: len(serving_workers(server)) == 2, "two workers")
    eventually(lambda: _last_said(server) <= {"serves"}, "said to serve")


def _last_said(server: ServerProcess) -> set[str]:
    """The beginning of the last log line on each worker."""
    return set(dict(re.findall(r"worker ([12]) (\(process|serves) ", server.log.read_text())).values())


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@contextmanager
def blocked(server: ServerProcess) -> Iterator[sqlite3.Connection]:
    """Blocks changes during the block, or until the yielded connection rolls back."""
    database = server.log.with_name("frostgate.db")
    with closing(sqlite3.connect(database, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        yield blocker


def unfreezing(server: ServerProcess, customer_id: str) -> Any:
    """A change in progress."""
    request = UnfreezeCustomerRequest(customer_id=customer_id, scope=ACCOUNT, reason="paid")
    return server.freezes.UnfreezeCustomer.future(request, timeout=PATIENCE)
