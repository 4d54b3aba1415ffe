"""Every method, for every role, by every way of identifying: who is let in, and who is not."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from time import time
from typing import Any

import grpc
import pytest
from frostgate.v1.customer_freeze_service_pb2 import (
    AssociateCustomerRequest,
    GetCustomerRequest,
    ListFreezeEventsRequest,
)
from frostgate_server.domain.roles import ROLES_OF_METHOD, Role
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from support.access import EXPIRED, Access
from support.calls import new_id, refusal
from support.credentials import bearer, claims, public_pem, signing_key, token
from support.every_call import ADMITTED, METHODS, REFLECTION, REQUESTS, outcome
from support.processes import PATIENCE
from support.server_process import Connection, ServerProcess

EVERY = [*METHODS, REFLECTION]

_MAY = {
    Role.PARTNER_CENTER: {
        *("AssociateCustomer", "DisassociateCustomer", "FreezeCustomer", "UnfreezeCustomer", "BatchFreezeCustomers"),
        *("BatchUnfreezeCustomers", "GetCustomer", "ListCustomers", "ListFreezeEvents"),
        *("GetPartner", "UpdatePartner", "SendVerificationCode"),
    },
    Role.CONTROL_PLANE: {"CheckOperation", "BatchCheckOperations", "ListRules", "WatchCustomers"},
    Role.AUDITOR: {
        *("CheckOperation", "BatchCheckOperations", "ListRules", "WatchCustomers"),
        *("GetCustomer", "ListCustomers", "ListFreezeEvents", "GetPartner"),
    },
    Role.OPERATOR: set(METHODS),
}
"""What each role may call, as its users are told."""


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Access:
    return Access(tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="module")
def server(access: Access) -> Iterator[ServerProcess]:
    with access.server() as server:
        yield server


def outcomes(connection: Connection, metadata: Any = None) -> dict[str, str]:
    return {method: outcome(connection, method, metadata) for method in EVERY}


def those_of(role: Role) -> dict[str, str]:
    may = _MAY[role] | {REFLECTION}
    return {method: ADMITTED if method in may else "PERMISSION_DENIED" for method in EVERY}


def all_are(what: str) -> dict[str, str]:
    return dict.fromkeys(EVERY, what)


def test_every_method_has_a_line_in_the_table_of_roles_and_a_request_here() -> None:
    assert set(EVERY) <= set(ROLES_OF_METHOD)
    assert set(REQUESTS) == set(EVERY)


@pytest.mark.parametrize("role", Role)
def test_a_certificate_with_a_spiffe_id_gives_the_role(access: Access, server: ServerProcess, role: Role) -> None:
    with access.by_certificate(server, uris=[f"spiffe://test/{role}"]) as caller:
        assert outcomes(caller) == those_of(role)


@pytest.mark.parametrize("role", Role)
def test_a_certificate_with_a_host_gives_the_role(access: Access, server: ServerProcess, role: Role) -> None:
    with access.by_certificate(server, hosts=["other.test", f"{role}.TEST"]) as caller:
        assert outcomes(caller) == those_of(role)


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
    ids=str,
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


def signed_by_hand(header: dict[str, Any], payload: dict[str, Any], secret: bytes) -> str:
    """A token by HS256, which libraries do not sign with what is no secret."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    signed = ".".join(part(json.dumps(one).encode()) for one in (header, payload))
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def confused(access: Access) -> Any:
    header = {"alg": "HS256", "kid": "one", "typ": "JWT"}
    return bearer(signed_by_hand(header, claims("operator"), public_pem(access.key)))


def without_signature(_: Access) -> Any:
    unsigned = signed_by_hand({"alg": "none", "kid": "one"}, claims("operator"), b"").rpartition(".")[0]
    return bearer(f"{unsigned}.")


def of_another_text(access: Access) -> Any:
    header, _, signature = token("auditor", access.key).split(".")
    payload = token("operator", access.key).split(".")[1]
    return bearer(f"{header}.{payload}.{signature}")


BAD_TOKENS: dict[str, Callable[[Access], Any]] = {
    "none": lambda _: None,
    "alg none": without_signature,
    "HS256 with the public key": confused,
    "another text": of_another_text,
    "expired": lambda access: access.token("operator", exp=int(time()) - 3600),
    "not yet": lambda access: access.token("operator", nbf=int(time()) + 3600),
    "issued in the future": lambda access: access.token("operator", iat=int(time()) + 3600),
    "no exp": lambda access: access.token("operator", exp=None),
    "exp without end": lambda access: access.token("operator", exp=float("inf")),
    "another audience": lambda access: access.token("operator", aud="frostgate2"),
    "no audience": lambda access: access.token("operator", aud=None),
    "another issuer": lambda access: access.token("operator", iss="https://issuer.test/"),
    "no issuer": lambda access: access.token("operator", iss=None),
    "another key": lambda access: access.token("operator", key=signing_key("two")),
    "unknown kid": lambda access: access.token("operator", kid="two"),
    "another algorithm": lambda access: access.token("operator", algorithm="PS256"),
    "crit": lambda access: access.token("operator", headers={"crit": ["exp"]}),
    "no sub": lambda access: access.token(None),
    "empty sub": lambda access: access.token(""),
    "sub that is no text": lambda access: access.token(7),
    "sub of two lines": lambda access: access.token("operator\n"),
    "sub too long": lambda access: access.token("o" * 257),
    "two headers": lambda access: (*access.token("operator"), *access.token("operator")),
    "Basic": lambda access: (("authorization", access.token("operator")[0][1].replace("Bearer", "Basic")),),
    "no scheme": lambda access: (("authorization", access.token("operator")[0][1].removeprefix("Bearer ")),),
    "junk": lambda _: bearer("a.b.c"),
    "deep": lambda _: bearer(base64.urlsafe_b64encode(b"[" * 4000).decode() + "..."),
}


@pytest.mark.parametrize("bad", BAD_TOKENS)
def test_other_tokens_do_not(access: Access, server: ServerProcess, bad: str) -> None:
    assert outcomes(server, BAD_TOKENS[bad](access)) == all_are("UNAUTHENTICATED")


def test_a_token_of_somebody_without_a_role_is_denied(access: Access, server: ServerProcess) -> None:
    for subject in ("nobody", "spiffe://test/operator", "Operator"):
        assert outcomes(server, access.token(subject)) == all_are("PERMISSION_DENIED")


def test_a_token_without_kid_is_one_of_the_only_key(access: Access, server: ServerProcess) -> None:
    assert outcome(server, "ListRules", access.token("operator", kid=None)) == ADMITTED


def test_the_issuers_clock_may_be_off_by_the_leeway(access: Access, server: ServerProcess) -> None:
    assert outcome(server, "ListRules", access.token("operator", exp=int(time()) - 5)) == ADMITTED
    assert outcome(server, "ListRules", access.token("operator", nbf=int(time()) + 5)) == ADMITTED


def test_a_long_token_is_taken_every_time(access: Access, server: ServerProcess) -> None:
    metadata = access.token("operator", more="x" * 5500)
    assert 7800 < len(metadata[0][1]) < 8192
    assert {outcome(server, "ListRules", metadata) for _ in range(50)} == {ADMITTED}


def test_the_request_is_looked_at_before_its_caller(server: ServerProcess) -> None:
    refused = refusal(lambda: server.freezes.GetCustomer(GetCustomerRequest(), timeout=PATIENCE))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refused.violations) == {"customer_id"}


def test_a_refusal_names_the_caller_and_the_method_and_nothing_of_a_bad_token(
    access: Access, server: ServerProcess
) -> None:
    request = GetCustomerRequest(customer_id="a")
    with access.by_certificate(server, hosts=["other.test", "control-plane.test"]) as caller:
        denied = refusal(lambda: caller.freezes.GetCustomer(request, timeout=PATIENCE))
    assert denied.metadata == {"principal": "dns:control-plane.test", "method": "GetCustomer"}
    assert denied.message == "dns:control-plane.test may not call GetCustomer."
    messages = set()
    for bad in BAD_TOKENS.values():
        metadata = bad(access)
        messages.add(refusal(lambda: server.freezes.GetCustomer(request, timeout=PATIENCE, metadata=metadata)).message)  # noqa: B023
    assert messages == {"The caller must identify itself: send a valid bearer token over TLS."}


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


def test_no_token_is_in_the_log(access: Access, server: ServerProcess) -> None:
    text = token("operator", access.key, aud="another")
    assert outcome(server, "ListRules", bearer(text)) == "UNAUTHENTICATED"
    log = server.log.read_text()
    assert "refused: " in log
    assert text not in log
    assert not any(part in log for part in text.split("."))
