"""Whatever happens to the files of a served database: there are never two histories, and never a wrong answer."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from frostgate.v1.policy_decision_service_pb2 import CheckOperationResponse
from frostgate.v1.policy_pb2 import FREEZE_STATE_ACCOUNT_FROZEN
from storage.files.tampering import (
    ENDINGS,
    OVERWRITINGS,
    REPLACEMENTS,
    Tamper,
    copy_all,
    remove,
    replace_by_an_older_one,
)
from support.calls import Calls
from support.runner.sizes import is_long, members
from support.server_process import Connection, NotReady, ServerProcess
from support.worker_lives import both_serve
from support.worker_processes import eventually, serving_workers

CONNECTIONS = 6
"""The system spreads them over the two workers."""

SHORT = [("-wal", remove), ("-head", replace_by_an_older_one)]
ALL = [
    (ending, tamper)
    for ending in ENDINGS
    for tamper in (*REPLACEMENTS, *OVERWRITINGS)
    # Not noticed, as the operator's page says: -shm is the memory that the workers share.
    if not (ending == "-shm" and tamper in OVERWRITINGS)
]
CASES = ALL if is_long() else SHORT


@dataclass
class History:
    """What was answered: the revisions of changes, and the number of changes that were refused.

    Customer `frozen` was frozen by the last change before the files were touched. An older file does not know it.
    """

    frozen: str
    changed: str
    revisions: list[int] = field(default_factory=list)
    refused: int = 0

    def go_on(self, server: ServerProcess) -> None:
        """Makes a check and a change through each of several connections. Each is answered rightly, or refused."""
        for _ in range(CONNECTIONS):
            with Connection(server.address) as connection:
                self._check(Calls(connection))
                self._change(Calls(connection))

    def _check(self, calls: Calls) -> None:
        answer: CheckOperationResponse
        try:
            answer = calls.check(customer_id=self.frozen)
        except grpc.RpcError:
            return
        assert answer.freeze_state == FREEZE_STATE_ACCOUNT_FROZEN
        assert answer.revision >= self.revisions[-1]

    def _change(self, calls: Calls) -> None:
        change = calls.freeze if len(self.revisions) % 2 else calls.unfreeze
        try:
            revision = change(customer_id=self.changed).revision
        except grpc.RpcError:
            self.refused += 1
            return
        assert revision == self.revisions[-1] + 1
        self.revisions.append(revision)


@contextmanager
def served(database: Path, aside: Path) -> Iterator[tuple[ServerProcess, History, Path]]:
    """A server with two workers, its history, and an older copy of its files."""
    with ServerProcess(database, "--workers=2") as server:
        calls = Calls(server)
        history = History(calls.new_customer("NORMAL"), calls.new_customer("NORMAL"))
        older = copy_all(database, aside)
        history.revisions = [calls.freeze(customer_id=one).revision for one in (history.changed, history.frozen)]
        history.revisions.append(calls.unfreeze(customer_id=history.changed).revision)
        yield server, history, older


def replace_a_worker(server: ServerProcess) -> None:
    """Kills a worker, and waits until another one serves in its place, or cannot."""
    victim = serving_workers(server)[0]
    before = server.log.read_text().count("cannot serve")
    os.kill(victim, signal.SIGKILL)
    eventually(
        lambda: both_serve(server, without=victim) or server.log.read_text().count("cannot serve") > before, "replaced"
    )


@pytest.mark.long
@pytest.mark.parametrize(("ending", "tamper"), CASES)
def test_there_are_never_two_histories(tmp_path: Path, ending: str, tamper: Tamper) -> None:
    database = tmp_path / "frostgate.db"
    with served(database, tmp_path / "older") as (server, history, older):
        tamper(Path(f"{database}{ending}"), Path(f"{older}{ending}"))
        history.go_on(server)
        replace_a_worker(server)
        history.go_on(server)
        server.stop()
    assert_starts_with_all_or_not_at_all(database, history)


def assert_starts_with_all_or_not_at_all(database: Path, history: History) -> None:
    with suppress(NotReady), ServerProcess(database) as server:
        refused_before = history.refused
        history.go_on(server)
        assert history.refused == refused_before


@pytest.mark.parametrize("ending", members(["-wal", "-shm"], short=["-wal"]))
def test_all_workers_use_the_same_files_although_all_were_replaced(tmp_path: Path, ending: str) -> None:
    database = tmp_path / "frostgate.db"
    with served(database, tmp_path / "older") as (server, history, _):
        before = Path(f"{database}{ending}").stat().st_ino
        for _ in range(2):
            replace_a_worker(server)
        assert Path(f"{database}{ending}").stat().st_ino == before
        history.go_on(server)
        assert history.refused == 0
        assert server.stop() == 0
    assert not Path(f"{database}{ending}").exists()
