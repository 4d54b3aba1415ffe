"""Where the time of a call goes: by part of the process, as perf sees it, and by step, measured one after the other.

Writes a raw result, from which report.py makes the tables of docs/performance.md. Needs Linux's `perf`.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, cast
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import load_program, machine
from benchmarks.echoes.makes import Make
from benchmarks.fill import ID_FORMAT, STATES, OpenTransaction, filled_database
from benchmarks.load_program import Load
from benchmarks.pages import profile, raw_results
from benchmarks.rounds import copied
from benchmarks.scenarios import Calls
from benchmarks.servers import CannotMeasure, Check, checks_that_exist, running, typical_answer
from benchmarks.subjects import Echo, Frostgate
from frostgate.v1.policy_decision_service_pb2 import (
    BatchCheckOperationsRequest,
    CheckOperationRequest,
    CheckOperationResponse,
)
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.enums import Decision, FreezeScope
from frostgate_server.policy import loader
from frostgate_server.rpc.policy_decision_servicer import PolicyDecisionServicer
from frostgate_server.services.commands import FreezeCommand, UnfreezeCommand
from frostgate_server.services.decision_service import DecisionService
from frostgate_server.storage.interface import Store, Transaction
from frostgate_server.storage.sqlite.opening import open_store
from frostgate_server.storage.sqlite.store import SqliteStore
from support.subjects import freeze_service

_CACHE = Path(__file__).parent.parent.parent / "build" / "bench"
_CUSTOMERS = 1000
_CALLERS = 64
_GROUP = 32
_SECONDS = 8.0
_SAMPLES_PER_SECOND = 997

_PARTS = [
    (r"kernel", "the kernel: sockets, futexes, file locks"),
    (r"cygrpc", "gRPC's core"),
    (r"_sqlite3", "SQLite"),
    (r"_message|upb", "protobuf"),
    (r"python", "the interpreter: gRPC's Python layer, and frostgate"),
]
_REST = "libc and others"


def main() -> int:
    """Gives the exit status."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        result = _profiled()
    except CannotMeasure as error:
        print(f"profile: {error}", file=sys.stderr)
        return 1
    raw = raw_results.path("profile-", result)
    raw_results.save(raw, result)
    profile.write_profile(raw)
    print(f"Wrote {raw.name} and the tables of {profile.PERFORMANCE.name}")
    return 0


def _profiled() -> dict[str, Any]:
    if shutil.which("perf") is None:
        raise CannotMeasure("there is no `perf` on the PATH")
    _CACHE.mkdir(parents=True, exist_ok=True)
    log = _CACHE / "servers.log"
    program = load_program.built(_CACHE)
    database = filled_database(_CACHE, _CUSTOMERS)
    command = Frostgate(_CUSTOMERS).command(database)
    with running(command, {}, log) as server:
        checks = checks_that_exist(server)
        answer = typical_answer(server, checks)
    load = Load(_CUSTOMERS, checks, Calls("check", _CALLERS), None, 1.0, _SECONDS, 1)
    changes = replace(load, calls=Calls("change", _CALLERS))
    echo = Echo(Make.THREADS, 2, threads=2)
    return {
        **machine.metadata(),
        "callers": _CALLERS,
        "servers": {
            "a check": _under_load(program, command, load, log),
            f"a call of {echo.name}": _under_load(program, echo.command(answer), load, log),
            "a change": _changes_under_load(program, database, changes, log),
        },
        "steps": _steps(database, checks),
        "steps_of_a_change": _steps_of_a_change(database),
    }


def _under_load(program: Path, command: list[str], load: Load, log: Path) -> dict[str, Any]:
    """The load's outcome, and the samples by part."""
    with running(command, {}, log) as server, tempfile.NamedTemporaryFile() as data:
        pids = ",".join(map(str, server.pids))
        options = ["-e", "cpu-clock", "-F", str(_SAMPLES_PER_SECOND), "-o", data.name, "-p", pids]
        perf = subprocess.Popen(["perf", "record", *options, "--", "sleep", str(_SECONDS)], stderr=subprocess.DEVNULL)
        told = load_program.outcome(program, server, load)
        perf.wait(60)
        shown = subprocess.run(
            ["perf", "report", "-i", data.name, "--stdio", "--sort", "dso", "-F", "sample,dso"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    samples: dict[str, int] = defaultdict(int)
    for count, part in re.findall(r"^\s*(\d+)\s+(\S+)\s*$", shown, re.MULTILINE):
        samples[next((name for pattern, name in _PARTS if re.search(pattern, part)), _REST)] += int(count)
    return {"samples": dict(samples), **told}


def _changes_under_load(program: Path, database: Path, load: Load, log: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=_CACHE) as directory:
        return _under_load(program, Frostgate(_CUSTOMERS).command(copied(database, Path(directory))), load, log)


def _steps_of_a_change(database: Path) -> dict[str, float]:
    """Microseconds of each step of a change that shares its group with others, in a process that does nothing else."""
    with tempfile.TemporaryDirectory(dir=_CACHE) as directory:
        path = copied(database, Path(directory))
        with closing(open_store(path, create=False)) as store:
            whole = median(_group(store, number) for number in range(30))
        with closing(open_store(path, create=False)) as store:
            made = median(_made_only(store, number) for number in range(30))
    return {
        "customer, event and answer are written in a savepoint": made,
        f"its part of the commit of {_GROUP} changes: the log and the head file are written to disk": whole - made,
    }


def _group(store: SqliteStore, number: int) -> float:
    """Microseconds of a change of a group, from its beginning until all of it is on disk."""
    start = perf_counter()
    store.run_transaction(partial(_make_changes, number))
    return (perf_counter() - start) * 1e6 / _GROUP


def _made_only(store: SqliteStore, number: int) -> float:
    """The same without the commit."""
    took = []

    def timed(transaction: Transaction) -> None:
        start = perf_counter()
        _make_changes(number, transaction)
        took.append((perf_counter() - start) * 1e6 / _GROUP)

    store.run_transaction(timed)
    return took[0]


def _make_changes(number: int, transaction: Transaction) -> None:
    """Freezes, or unfreezes in turn, customers that are NORMAL at first."""
    store = cast(Store, OpenTransaction(transaction))
    service = freeze_service(store, timedelta(days=15))
    command = UnfreezeCommand if number % 2 else FreezeCommand
    caller = Caller(waits=lambda: True)
    for place in range(_GROUP):
        ids, scope, request_id = (ID_FORMAT % (place * STATES),), FreezeScope.ACCOUNT, str(uuid4())
        change = command(customer_ids=ids, scope=scope, reason="load", request_id=request_id)
        service.change_customer(caller, change).result()


def _steps(database: Path, checks: list[Check]) -> dict[str, float]:
    """Microseconds of each step of a check, in one thread that does nothing else; and of a check in a batch."""
    policy = loader.load(None, Decision.DENY)
    requests = [
        CheckOperationRequest(customer_id=ID_FORMAT % (n * 7 % _CUSTOMERS), billing_mode=mode, operation=operation)
        for n in range(50)
        for mode, operation in checks
    ]
    written = [request.SerializeToString() for request in requests]
    batch = BatchCheckOperationsRequest(checks=requests[:1000]).SerializeToString()
    with closing(open_store(database, create=False)) as store:
        servicer = PolicyDecisionServicer(DecisionService(store), policy)
        responses = servicer._responses
        states = [store.get_freeze_state(request.customer_id) for request in requests]
        caller = Caller(waits=lambda: True)

        def batches() -> None:
            servicer.BatchCheckOperations(caller, BatchCheckOperationsRequest.FromString(batch))

        return {
            "the request is parsed": _each(CheckOperationRequest.FromString, written),
            "the fields are validated": _each(servicer._is_plain, requests),
            "the state is read, and its checksum is verified": _each(
                store.get_freeze_state, [r.customer_id for r in requests]
            ),
            "the revision is appended to the cell's bytes": _each(
                lambda pair: (
                    responses[pair[1][0], pair[0].billing_mode, pair[0].operation]
                    + CheckOperationResponse(revision=pair[1][1]).SerializeToString()
                ),
                list(zip(requests, states, strict=True)),
            ),
            "all steps": _each(lambda one: servicer.CheckOperation(caller, one), requests),
            "a check in a batch of 1,000, parsing included": _each(lambda _: batches(), [None]) / 1000,
        }


def _each(step: Callable[[Any], object], inputs: list[Any]) -> float:
    """Microseconds for one input: the median of several passes."""

    def passed() -> float:
        start = perf_counter()
        for one in inputs:
            step(one)
        return (perf_counter() - start) * 1e6 / len(inputs)

    return median(passed() for _ in range(15))


if __name__ == "__main__":
    sys.exit(main())
