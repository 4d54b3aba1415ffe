"""Identity and role come before the shape of a request: a refused caller learns nothing about its request."""

from typing import Any

import grpc
import pytest
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest
from frostgate_server.domain.roles import Role
from support.access import Access
from support.every_call import METHODS
from support.processes import PATIENCE
from support.server_process import Connection, ServerProcess
from support.statuses import error_info, status_of

pytestmark = pytest.mark.both_dispatches(short=False)

NOT_A_MESSAGE = b"\xff\xff"
EMPTY = b""
TOO_LARGE_FOR_ITS_METHOD = CheckOperationRequest(resource_id="x" * 200_000).SerializeToString()

requests = pytest.mark.parametrize(
    "request_bytes", [NOT_A_MESSAGE, EMPTY, TOO_LARGE_FOR_ITS_METHOD], ids=["not a message", "empty", "too large"]
)


def refusal_of(connection: Connection, method: str, request_bytes: bytes, metadata: Any = None) -> tuple[str, str]:
    """The reason, and the whole status as text, of a call with these bytes; OK for one that is answered."""
    path = f"/{METHODS[method].containing_service.full_name}/{method}"
    try:
        call: Any = connection.channel.unary_unary(path)
        call(request_bytes, metadata=metadata, timeout=PATIENCE)
    except grpc.RpcError as error:
        _, status = status_of(error)
        return error_info(status).reason, str(status)
    return "OK", ""


@requests
@pytest.mark.parametrize("method", METHODS)
def test_a_caller_without_identity_learns_nothing_about_its_request(
    server: ServerProcess, method: str, request_bytes: bytes
) -> None:
    reason, status = refusal_of(server, method, request_bytes)
    assert reason == "UNAUTHENTICATED"
    assert "customer_id" not in status
    assert "request" not in status


@requests
@pytest.mark.parametrize("method", METHODS)
def test_a_caller_without_the_role_learns_nothing_about_its_request(
    access: Access, server: ServerProcess, method: str, request_bytes: bytes
) -> None:
    role = Role.PARTNER_CENTER if "Check" in method or method == "ListRules" else Role.CONTROL_PLANE
    reason, status = refusal_of(server, method, request_bytes, access.token(str(role)))
    assert reason == "PERMISSION_DENIED"
    assert "customer_id" not in status


@requests
@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"ListRules", "ListFreezeEvents"}))
def test_a_caller_who_may_call_is_told_what_is_wrong(
    access: Access, server: ServerProcess, method: str, request_bytes: bytes
) -> None:
    reason, status = refusal_of(server, method, request_bytes, access.token(str(Role.OPERATOR)))
    assert reason == "INVALID_FIELD", status
