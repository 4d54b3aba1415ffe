"""The health of a server's services, as a load balancer reads it."""

from typing import Any

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from support.processes import PATIENCE
from support.server_process import Connection
from support.worker_processes import eventually

CHECKS, CHANGES = "frostgate.v1.PolicyDecisionService", "frostgate.v1.CustomerFreezeService"

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


def health_of(connection: Connection, service: str) -> int:
    """The status of a service."""
    stub: Any = HealthStub(connection.channel)
    return int(stub.Check(HealthCheckRequest(service=service), timeout=PATIENCE).status)


def wait_for_health(connection: Connection, *, checks: bool, changes: bool) -> None:
    """Waits for the health of checks and of changes. The health of the server as a whole must be that of checks."""
    expected = [SERVING if good else NOT_SERVING for good in (checks, checks, changes)]
    eventually(lambda: [health_of(connection, one) for one in ("", CHECKS, CHANGES)] == expected, f"health {expected}")
