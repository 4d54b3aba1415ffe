"""Bearer tokens over the wire: which are accepted, which are rejected, and that none is logged."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

import pytest
from frostgate.v1.customer_freeze_service_pb2 import GetCustomerRequest
from support.access import Access
from support.calls import refusal
from support.credentials import bearer, claims, public_pem, signing_key, token
from support.every_call import ADMITTED, all_are, outcome, outcomes
from support.processes import PATIENCE
from support.server_process import ServerProcess


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


def test_no_token_is_in_the_log(tmp_path: Path) -> None:
    access = Access(tmp_path)
    text = token("operator", access.key, aud="another")
    with access.server("--workers", "1") as server:
        assert outcome(server, "ListRules", bearer(text)) == "UNAUTHENTICATED"
        assert server.stop() == 0
        log = server.log.read_text()
    assert "refused: " in log
    assert text not in log
    assert not any(part in log for part in text.split("."))
