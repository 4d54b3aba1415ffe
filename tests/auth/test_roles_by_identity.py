"""Every method, for every role, by certificate and by token: which calls are admitted and which are refused."""

from typing import Any

import pytest
from frostgate.v1.customer_freeze_service_pb2 import (
    AssociateCustomerRequest,
    ListFreezeEventsRequest,
)
from frostgate_server.domain.roles import Role
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from support.access import EXPIRED, Access
from support.calls import new_id
from support.credentials import bearer
from support.every_call import ADMITTED, EVERY, METHODS, REFLECTION, all_are, outcome, outcomes
from support.processes import PATIENCE
from support.server_process import Connection, ServerProcess

pytestmark = pytest.mark.both_dispatches(short=False)

DECIDE = {Role.CONTROL_PLANE, Role.AUDITOR, Role.OPERATOR}
READ = {Role.PARTNER_CENTER, Role.AUDITOR, Role.OPERATOR}
CHANGE = {Role.PARTNER_CENTER, Role.OPERATOR}


def roles_of(method: str) -> set[Role]:
    """Who may call a method, as its users are told: the methods of decisions, those that read, those that change."""
    if method == REFLECTION:
        return set(Role)
    if METHODS[method].containing_service.name == "PolicyDecisionService":
        return DECIDE
    return READ if method.startswith(("Get", "List", "Count")) else CHANGE


def those_of(role: Role) -> dict[str, str]:
    return {method: ADMITTED if role in roles_of(method) else "PERMISSION_DENIED" for method in EVERY}


@pytest.mark.both_dispatches
@pytest.mark.parametrize("role", Role)
def test_a_certificate_with_a_spiffe_id_gives_the_role(access: Access, server: ServerProcess, role: Role) -> None:
    with access.by_certificate(server, uris=[f"spiffe://test/{role}"]) as caller:
        assert outcomes(caller) == those_of(role)


@pytest.mark.parametrize("role", Role)
def test_a_certificate_with_a_host_gives_the_role(access: Access, server: ServerProcess, role: Role) -> None:
    with access.by_certificate(server, hosts=["other.test", f"{role}.TEST"]) as caller:
        assert outcomes(caller) == those_of(role)


@pytest.mark.both_dispatches
@pytest.mark.parametrize("role", Role)
def test_a_token_gives_the_role(access: Access, server: ServerProcess, role: Role) -> None:
    assert outcomes(server, access.token(str(role))) == those_of(role)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"name": "spiffe://test/operator"}, "UNAUTHENTICATED"),
        ({"name": "operator.test"}, "UNAUTHENTICATED"),
        ({"uris": ["spiffe://test/operator", "spiffe://test/auditor"]}, "UNAUTHENTICATED"),
        ({"uris": ["spiffe://test/operator", "https://test/"]}, "UNAUTHENTICATED"),
        ({"uris": ["https://test/operator"]}, "UNAUTHENTICATED"),
        ({"uris": ["spiffe://test/operator/"]}, "UNAUTHENTICATED"),
        ({"uris": ["spiffe://test/x/../operator"]}, "UNAUTHENTICATED"),
        ({"uris": ["SPIFFE://test/operator"]}, "UNAUTHENTICATED"),
        ({"uris": ["https://test/"], "hosts": ["operator.test"]}, "UNAUTHENTICATED"),
        ({"hosts": ["operator.test", "auditor.test"]}, "UNAUTHENTICATED"),
        ({"hosts": ["*.test"]}, "UNAUTHENTICATED"),
        ({"uris": ["spiffe://test/nobody"]}, "PERMISSION_DENIED"),
        ({"uris": ["spiffe://test/nobody"], "hosts": ["operator.test"]}, "PERMISSION_DENIED"),
        ({"hosts": ["nobody.test"]}, "PERMISSION_DENIED"),
        ({"uris": ["spiffe://test/operator"], "expires_in": EXPIRED}, "UNAVAILABLE"),
    ],
    ids=[
        *("SPIFFE ID as common name", "host as common name", "two SPIFFE IDs", "SPIFFE ID and another URI"),
        *("no SPIFFE ID", "trailing slash", "dot segments", "scheme in capitals", "another URI and a host"),
        *("two hosts", "wildcard", "unknown SPIFFE ID", "unknown SPIFFE ID and a host", "unknown host", "expired"),
    ],
)
def test_other_certificates_do_not(access: Access, server: ServerProcess, names: Any, expected: str) -> None:
    with access.by_certificate(server, **names) as caller:
        assert outcomes(caller) == all_are(expected)


def test_a_certificate_of_another_authority_ends_the_handshake(access: Access, server: ServerProcess) -> None:
    stranger = access.authority.channel(access.authority.issue(uris=["spiffe://test/operator"]))
    for credentials in (stranger, access.authority.channel()):
        with Connection(server.mtls_address, credentials) as caller:
            assert outcomes(caller) == all_are("UNAVAILABLE")


def test_where_a_certificate_is_asked_for_no_token_counts(access: Access, server: ServerProcess) -> None:
    with access.by_certificate(server, uris=["spiffe://test/auditor"]) as caller:
        for metadata in (access.token("operator"), bearer("junk"), access.token("operator", exp=1)):
            assert outcomes(caller, metadata) == those_of(Role.AUDITOR)
    with access.by_certificate(server, name="operator") as caller:
        assert outcomes(caller, access.token("operator")) == all_are("UNAUTHENTICATED")


def test_where_no_certificate_is_asked_for_none_counts(access: Access, server: ServerProcess) -> None:
    with Connection(server.address, access.certificate(uris=["spiffe://test/operator"])) as caller:
        assert outcomes(caller) == all_are("UNAUTHENTICATED")
        assert outcomes(caller, access.token("auditor")) == those_of(Role.AUDITOR)


def test_everybody_may_ask_for_health(access: Access, server: ServerProcess) -> None:
    with access.by_certificate(server, name="nobody") as certified:
        for connection, metadata in ((server, ()), (server, bearer("junk")), (certified, ())):
            health: Any = HealthStub(connection.channel)
            answer = health.Check(HealthCheckRequest(), timeout=PATIENCE, metadata=metadata)
            assert answer.status == HealthCheckResponse.SERVING
            watch = health.Watch(HealthCheckRequest(), timeout=PATIENCE, metadata=metadata)
            assert next(watch).status == HealthCheckResponse.SERVING
            watch.cancel()


def test_plaintext_reaches_nothing(server: ServerProcess) -> None:
    for address in (server.address, server.mtls_address):
        with Connection(address) as caller:
            assert outcome(caller, "ListRules") == "UNAVAILABLE"


def test_events_record_the_caller(access: Access, server: ServerProcess) -> None:
    ids = {"spiffe://test/operator": new_id(), "dns:operator.test": new_id(), "sub:operator": new_id()}
    for principal, customer_id in ids.items():
        request = AssociateCustomerRequest(customer_id=customer_id, partner_id="partner")
        if principal.startswith("sub:"):
            server.freezes.AssociateCustomer(request, timeout=PATIENCE, metadata=access.token("operator"))
            continue
        names = {"uris": [principal]} if principal.startswith("spiffe") else {"hosts": ["operator.test"]}
        with access.by_certificate(server, **names) as caller:
            caller.freezes.AssociateCustomer(request, timeout=PATIENCE)
    listed = server.freezes.ListFreezeEvents(
        ListFreezeEventsRequest(), timeout=PATIENCE, metadata=access.token("auditor")
    )
    actors = {event.customer_id: event.actor for event in listed.events}
    assert {principal: actors[customer_id] for principal, customer_id in ids.items()} == {one: one for one in ids}
