"""A page that is replaced by an older version of itself while it is served: noticed within the documented time."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from frostgate.v1.policy_pb2 import Decision
from frostgate_server.storage.sqlite.backend import SqliteBackend
from frostgate_server.storage.sqlite.driver import sqlite3
from storage.damaged.conftest import copied, customer
from storage.damaged.pages import PAGE_SIZE, Pages
from support.calls import RESOURCES, Calls, check_of, outcome_of
from support.processes import PATIENCE
from support.server_process import TWO_WORKERS, Connection, ServerProcess
from support.statuses import error_info
from support.worker_processes import connections_to_each, eventually, log_with

REVERTED = customer(3)


@pytest.fixture
def server(sound: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    """Two workers, and a check of the record that makes a pass in a second."""
    with ServerProcess(copied(sound, tmp_path), TWO_WORKERS, "--record-check-rows", "1000000") as server:
        yield server


def fold_in_the_log(database: Path) -> None:
    """So that the pages in the file are the newest."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert not busy


def answers(connection: Connection, outcome: str) -> bool:
    check = connection.decisions.CheckOperation.future(check_of(customer_id=REVERTED), timeout=PATIENCE)
    return outcome_of(check) == outcome


def test_an_older_page_is_noticed_by_every_worker_and_told(server: ServerProcess, sound: Path, tmp_path: Path) -> None:
    database, calls = tmp_path / "frostgate.db", Calls(server)
    pages = Pages(sound)
    page, _ = pages.find("customers", REVERTED)
    older = pages.content[pages.page(page)]
    calls.freeze(customer_id=REVERTED, scope=RESOURCES)
    fold_in_the_log(database)
    with database.open("rb+") as file:
        file.seek((page - 1) * PAGE_SIZE)
        newer = file.read(PAGE_SIZE)
        file.seek((page - 1) * PAGE_SIZE)
        file.write(older)
    # Workers read pages again once another one has changed something.
    calls.associate(customer_id="another")
    assert calls.check(customer_id=REVERTED).decision == Decision.DECISION_ALLOW
    with connections_to_each(server, 1, check_of(customer_id="another")) as workers:
        connections = [connection for (connection,) in workers.values()]
        for connection in connections:
            eventually(partial(answers, connection, "STORAGE_UNAVAILABLE"), "noticed")
        log_with(server, f"customer {REVERTED}: the row does not match the last event")
        report = SqliteBackend(database).get_check_report()
        assert report is not None
        assert set(report.suspects) == {REVERTED}
        assert calls.check(customer_id=customer(4)).HasField("freeze_state")
        suspect, other = calls.batch_check([check_of(customer_id=one) for one in (REVERTED, customer(4))]).results
        assert error_info(suspect.error).reason == "STORAGE_UNAVAILABLE"
        assert other.response.HasField("freeze_state")
        fold_in_the_log(database)
        with database.open("rb+") as file:
            file.seek((page - 1) * PAGE_SIZE)
            file.write(newer)
        calls.associate(customer_id="one-more")
        for connection in connections:
            eventually(partial(answers, connection, "OK"), "found right")
    assert calls.check(customer_id=REVERTED).decision == Decision.DECISION_DENY
    assert len(set(server.children()) - set(server.workers())) == 1
    assert server.stop() == 0


def test_without_rows_there_is_no_check(sound: Path, tmp_path: Path) -> None:
    with ServerProcess(copied(sound, tmp_path), "--record-check-rows", "0") as server:
        eventually(lambda: len(server.workers()) == 2, "a worker in reserve, which starts at the same time")
        assert set(server.children()) == set(server.workers())
    assert not (tmp_path / "frostgate.db-check").exists()
