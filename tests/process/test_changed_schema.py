"""A schema that is changed while a server runs leads to refusals, never to a wrong answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.policy_pb2 import DECISION_DENY, OPERATION_PURCHASE
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from storage.schema.changes import SIMPLE, WRITTEN, SchemaChange, change
from support.calls import ACCOUNT, Calls, check_of, outcome_of, refusal
from support.processes import PATIENCE
from support.runner.sizes import members
from support.server_process import TWO_WORKERS, Killed, ServerProcess, refused_start
from support.worker_processes import eventually, log_with, serving_workers

IGNORED_UPDATES = "CREATE TRIGGER a BEFORE UPDATE ON customers BEGIN SELECT RAISE(IGNORE); END"

PLANTED = {
    one.name: one
    for one in [
        SchemaChange("trigger that SQLite is told of", [IGNORED_UPDATES], "trigger a"),
        *(one for one in WRITTEN if one.named == "trigger sqlite_evil"),
        *(one for one in SIMPLE if one.name in {"view customers", "view head", "partial index"}),
        *(one for one in SIMPLE if "another customers_of_partner" in one.name),
    ]
}


@dataclass(frozen=True)
class Served:
    """A server with one worker, and a customer that it answers for."""

    server: ServerProcess
    database: Path
    calls: Calls
    normal: str


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Takes a second."""
    database = tmp_path / "frostgate.db"
    with ServerProcess(database) as server:
        calls = Calls(server)
        yield Served(server, database, calls, calls.new_customer("NORMAL"))


def is_refused(served: Served) -> bool:
    """Whether a check is refused. Else it must deny: the customer is frozen."""
    request = check_of(customer_id=served.normal, operation=OPERATION_PURCHASE)
    check = served.server.decisions.CheckOperation.future(request, timeout=PATIENCE)
    outcome = outcome_of(check)
    assert outcome in {"OK", "STORAGE_UNAVAILABLE"}
    assert outcome != "OK" or check.result().decision == DECISION_DENY
    return outcome != "OK"


def froze(served: Served) -> bool:
    """Asks to freeze the customer. Whether the answer is OK."""
    request = pb.FreezeCustomerRequest(customer_id=served.normal, scope=ACCOUNT, reason="unpaid")
    outcome = outcome_of(served.server.freezes.FreezeCustomer.future(request, timeout=PATIENCE))
    assert outcome in {"OK", "STORAGE_UNAVAILABLE"}
    return outcome == "OK"


@pytest.mark.parametrize(
    "planted", members(PLANTED, short=["hidden trigger sqlite_evil", "view customers", "partial index"])
)
def test_no_change_of_the_schema_lets_a_frozen_customer_through(served: Served, planted: str) -> None:
    stub: Any = HealthStub(served.server.channel)
    watch = stub.Watch(HealthCheckRequest(), timeout=2 * PATIENCE)
    assert next(watch).status == HealthCheckResponse.SERVING
    change(served.database, PLANTED[planted].sql)
    if froze(served):
        eventually(lambda: is_refused(served), "refused")
    assert next(watch).status == HealthCheckResponse.NOT_SERVING
    refused = refusal(lambda: served.calls.freeze(customer_id=served.normal))
    assert (refused.code.name, refused.reason) == ("UNAVAILABLE", "STORAGE_UNAVAILABLE")
    assert "schema" not in refused.message
    log = log_with(served.server, "the schema: ")
    assert log.count("are refused until it is correct again") == 1
    assert served.server.stop() == 0
    assert "the schema: " in refused_start("serve", "--database", str(served.database))


def test_the_server_serves_again_once_the_schema_is_right_again(served: Served) -> None:
    stub: Any = HealthStub(served.server.channel)
    watch = stub.Watch(HealthCheckRequest(), timeout=2 * PATIENCE)
    assert next(watch).status == HealthCheckResponse.SERVING
    change(served.database, [IGNORED_UPDATES])
    assert next(watch).status == HealthCheckResponse.NOT_SERVING
    assert refusal(lambda: served.calls.freeze(customer_id=served.normal)).reason == "STORAGE_UNAVAILABLE"
    change(served.database, ["DROP TRIGGER a"])
    assert next(watch).status == HealthCheckResponse.SERVING
    served.calls.freeze(customer_id=served.normal)
    assert served.calls.check(customer_id=served.normal, operation=OPERATION_PURCHASE).decision == DECISION_DENY


def test_no_worker_is_replaced_by_one_on_a_changed_schema(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with ServerProcess(database, TWO_WORKERS) as server:
        frozen = Calls(server).new_customer()
        change(database, [IGNORED_UPDATES])
        with Killed(serving_workers(server)[0]):
            pass
        log_with(server, "cannot serve: database ")
        log_with(server, "the schema: trigger a is not one of frostgate's")
        assert refusal(lambda: Calls(server).check(customer_id=frozen)).reason == "STORAGE_UNAVAILABLE"
        change(database, ["DROP TRIGGER a"])
        eventually(lambda: len(serving_workers(server)) == 2, "two workers again")
        assert Calls(server).check(customer_id=frozen, operation=OPERATION_PURCHASE).decision == DECISION_DENY
