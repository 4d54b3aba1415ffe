"""One trial: damages a copy of the database, at rest or while it is served, and asks for every frozen customer."""

import shutil
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic, sleep

import grpc
from frostgate.v1.policy_decision_service_pb2 import BatchCheckOperationsRequest, CheckOperationRequest
from frostgate.v1.policy_pb2 import BillingMode, Decision, Operation
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.backend import SqliteBackend
from frostgate_server.storage.sqlite.driver import sqlite3
from google.rpc.code_pb2 import Code
from storage.damage import contents
from support.processes import PATIENCE
from support.server_process import ServerProcess

from .damages import Damage
from .prepared import Prepared, copy_database

_AT_ONCE = 1000
"""Checks in a batch. A batch fails as a whole where one of its customers cannot be answered."""

MOST_FAILED = 3_000
"""Calls that may fail until customers are not asked for one by one any more: a damaged root hides all of them."""

PASSES = 2
"""Passes of the background check after which damage must be noticed, as the operator's page says."""


@dataclass(frozen=True)
class Plan:
    """Damages that happen together, and how the server runs."""

    number: int
    damages: tuple[Damage, ...]
    is_served: bool
    unknown: str
    crashed: bool = False


@dataclass
class Verdict:
    """The outcome of a trial. `lost` and `reverted` are frozen customers that were answered ALLOW: as unknown ones, or
    in an older state. `late` of them were still answered so after the documented time."""

    outcome: str = ""
    answers: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    reverted: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    verify: str = ""
    findings: int = 0
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether no promise was broken."""
        return not self.lost and not self.late and self.verify != "missed"


def run_trial(prepared: Prepared, plan: Plan) -> tuple[Plan, Verdict]:
    """Runs a trial in a directory of its own."""
    verdict, start = Verdict(), monotonic()
    directory = Path(tempfile.mkdtemp(prefix="damage-"))
    try:
        database = copy_database(prepared.crashed if plan.crashed else prepared.closed, directory)
        if not plan.is_served:
            _damage(database, plan)
        try:
            _serve(prepared, plan, database, verdict)
        except AssertionError as refused:
            if "not ready" not in str(refused):
                raise
            verdict.outcome = "refused to start"
        verdict.verify = _verify(prepared, plan, database) if verdict.outcome == "served" else "not asked"
    finally:
        shutil.rmtree(directory)
    verdict.seconds = round(monotonic() - start, 1)
    return plan, verdict


def describe(plan: Plan, verdict: Verdict) -> dict[str, object]:
    """For the raw result."""
    damages = [f"{damage.kind}: {damage.where}" for damage in plan.damages]
    return {"number": plan.number, "damages": damages, "served": plan.is_served, "unknown": plan.unknown} | asdict(
        verdict
    )


def _damage(database: Path, plan: Plan) -> None:
    for damage in plan.damages:
        damage.do(database)


def _serve(prepared: Prepared, plan: Plan, database: Path, verdict: Verdict) -> None:
    flags = ["--unknown-customer", plan.unknown, "--record-check-rows", "10000000"]
    with ServerProcess(database, *flags) as server:
        if plan.is_served:
            _ask(server, prepared.frozen[:_AT_ONCE])
            _damage(database, plan)
            _drop_caches(database)
        verdict.outcome = "served"
        states = _ask(server, prepared.frozen)
        for answer in states.values():
            verdict.answers[answer] = verdict.answers.get(answer, 0) + 1
        verdict.lost = [one for one, answer in states.items() if answer == "ALLOW unknown"]
        verdict.reverted = [one for one, answer in states.items() if answer == "ALLOW known"]
        # No pass comes to its end where no customer can be read.
        if verdict.reverted or (plan.is_served and "DENY known" in verdict.answers):
            verdict.findings = _wait_for_passes(database)
            again = _ask(server, verdict.reverted)
            verdict.late = [one for one, answer in again.items() if answer.startswith("ALLOW")]


def _drop_caches(database: Path) -> None:
    """Writes something, so that the workers read pages again. The damage may keep it from being written."""
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as elsewhere:
            elsewhere.execute("BEGIN IMMEDIATE")
            elsewhere.execute("UPDATE head SET audit_sequence = audit_sequence + 1")
            elsewhere.execute("UPDATE head SET audit_sequence = audit_sequence - 1")
            elsewhere.execute("COMMIT")
    except sqlite3.Error:
        pass


def _ask(server: ServerProcess, customer_ids: list[str]) -> dict[str, str]:
    """What each is answered: the decision and whether the customer is known, or the status of an error."""
    answers: dict[str, str] = {}
    failed = 0
    waiting = [customer_ids[start : start + _AT_ONCE] for start in range(0, len(customer_ids), _AT_ONCE)]
    while waiting:
        asked = waiting.pop()
        try:
            answers |= _ask_together(server, asked)
        except grpc.RpcError as error:
            failed += 1
            if failed > MOST_FAILED:
                answers |= dict.fromkeys(asked, f"{error.code().name} together")
            elif len(asked) > 1:
                waiting += [asked[: len(asked) // 2], asked[len(asked) // 2 :]]
            else:
                answers[asked[0]] = error.code().name
    return answers


def _ask_together(server: ServerProcess, customer_ids: list[str]) -> dict[str, str]:
    operation, mode = Operation.OPERATION_PURCHASE, BillingMode.BILLING_MODE_PAY_PER_USE
    checks = [CheckOperationRequest(customer_id=one, operation=operation, billing_mode=mode) for one in customer_ids]
    request = BatchCheckOperationsRequest(checks=checks)
    results = server.decisions.BatchCheckOperations(request, timeout=PATIENCE).results
    found: dict[str, str] = {}
    for customer_id, result in zip(customer_ids, results, strict=True):
        if result.HasField("error"):
            found[customer_id] = Code.Name(result.error.code)
            continue
        known = "known" if result.response.HasField("freeze_state") else "unknown"
        found[customer_id] = f"{Decision.Name(result.response.decision).removeprefix('DECISION_')} {known}"
    return found


def _wait_for_passes(database: Path) -> int:
    """Waits for the passes that begin from now on. Gives how much the last one found; -1 if none comes to its end."""
    check, end = database.with_name(database.name + "-check"), monotonic() + PATIENCE
    seen: set[str] = set()
    while monotonic() < end:
        report = SqliteBackend(database).get_check_report()
        if report is not None and report.last_pass_time and check.exists():
            seen.add(f"{report.last_pass_time} {report.last_pass_seconds}")
            # The first that is seen may have begun before the damage.
            if len(seen) > PASSES:
                return report.findings
        sleep(0.2)
    return -1


def _verify(prepared: Prepared, plan: Plan, database: Path) -> str:
    """Whether verify finds the damage. It need not find what changed nothing, nor damage beside the database."""
    if any(damage.ending for damage in plan.damages):
        return "not asked"
    try:
        verify(database)
    except (StartupError, OSError):
        return "found"
    return "nothing to find" if contents(database) == contents(prepared.closed) else "missed"
