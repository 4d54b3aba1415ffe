"""Keys, authorities and callers that cannot be used are passed over, one by one, and logged; the others count."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from frostgate_server.auth.certificates import authorities
from frostgate_server.domain.errors import StartupError
from support.access import Access
from support.credentials import Authority, jwk
from support.every_call import ADMITTED, is_admitted, outcome
from support.server_process import Connection, ServerProcess
from support.worker_processes import eventually

NEXT = ec.generate_private_key(ec.SECP256R1())
UNKNOWN_KEYS: list[dict[str, Any]] = [
    {"kty": "AKP", "alg": "ML-DSA-65", "kid": "later", "pub": "AAAA"},
    {"kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "agreement", "use": "enc"},
    {"kty": "RSA", "n": "AAAA", "e": "AQAB", "kid": "encrypts", "key_ops": ["encrypt"]},
]
BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "not base64": lambda pem: pem.replace(pem.splitlines()[2], b"*" * 64),
    "cut short": lambda pem: b"\n".join([*pem.splitlines()[:3], b"-----END CERTIFICATE-----\n"]),
    "without an end": lambda pem: pem.partition(b"-----END")[0],
    "without a beginning of its content": lambda pem: b"\n".join([*pem.splitlines()[:1], *pem.splitlines()[3:], b""]),
    "empty": lambda _: b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "of another kind": lambda pem: pem.replace(b" CERTIFICATE", b" TRUSTED CERTIFICATE"),
}


def warnings(server: ServerProcess, of: str) -> list[str]:
    """What was passed over in a file, as the log has it."""
    lines = server.log.read_text().splitlines()
    return [line.partition(": ignored ")[2] for line in lines if " WARNING supervisor: " in line and of in line]


def write_keys(access: Access, *entries: Any) -> None:
    (access.directory / "jwks.json").write_text(json.dumps({"keys": entries}))


def test_keys_of_unknown_kinds_do_not_keep_a_server_from_starting(access: Access) -> None:
    write_keys(access, *UNKNOWN_KEYS, jwk(access.key, kid="one"))
    with access.server() as server:
        assert is_admitted(server, access.token("operator"))
        assert not is_admitted(server, access.token("operator", kid="later"))
        said = eventually(lambda: warnings(server, f"token_keys ({access.directory}/jwks.json)"), "logged")
        assert [line.partition(":")[0] for line in said] == ["key 1", "key 2", "key 3"]


def test_the_next_key_is_taken_up_beside_one_of_an_unknown_kind(access: Access, server: ServerProcess) -> None:
    token = access.token("operator", key=NEXT, kid="next", algorithm="ES256")
    assert not is_admitted(server, token)
    write_keys(access, UNKNOWN_KEYS[0], jwk(access.key, kid="one"), jwk(NEXT, kid="next"))
    eventually(lambda: is_admitted(server, token), "admitted")
    assert is_admitted(server, access.token("operator"))
    (said,) = eventually(lambda: warnings(server, "token_keys"), "logged")
    assert said.startswith("key 1: fits none of the algorithms ")


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_broken_certificate_is_passed_over_in_a_bundle(kind: str, place: int) -> None:
    good = [Authority("one").pem, Authority("two").pem]
    blocks = [*good[: place - 1], BROKEN[kind](Authority("broken").pem), *good[place - 1 :]]
    bundle = b"# a comment\n" + b"".join(blocks)
    line = 2 + b"".join(blocks[: place - 1]).count(b"\n")
    usable = authorities(bundle)
    assert usable.value == b"".join(good)
    (problem,) = usable.passed_over
    assert problem.startswith(f"certificate {place} (line {line}): cannot be read: ")


@pytest.mark.parametrize("bundle", [b"", b"junk", b"# no certificate\n"])
def test_a_bundle_without_certificates_cannot_be_used(bundle: bytes) -> None:
    with pytest.raises(StartupError, match="there is no certificate"):
        authorities(bundle)


def test_a_bundle_of_broken_certificates_names_each_of_them() -> None:
    with pytest.raises(StartupError) as refused:
        authorities(BROKEN["cut short"](Authority().pem) + BROKEN["empty"](b""))
    assert [problem.partition(" (")[0] for problem in str(refused.value).split("; ")] == [
        "certificate 1",
        "certificate 2",
    ]


def test_callers_of_a_new_authority_are_let_in_beside_a_broken_one(access: Access, server: ServerProcess) -> None:
    other = Authority("other callers")
    broken = BROKEN["cut short"](Authority("broken").pem)
    (access.directory / "ca.pem").write_bytes(access.callers_authority.pem + broken + other.pem)
    shown = access.authority.channel(other.issue(uris=["spiffe://test/operator"]))

    def is_trusted() -> bool:
        with Connection(server.mtls_address, shown) as new:
            return is_admitted(new)

    eventually(is_trusted, "trusted")
    with access.by_certificate(server, uris=["spiffe://test/operator"]) as old:
        assert is_admitted(old)
    (said,) = eventually(lambda: warnings(server, f"client_ca ({access.directory}/ca.pem)"), "logged")
    assert said.startswith("certificate 2 (line ")


def test_a_caller_whose_table_cannot_be_used_has_no_role_and_the_others_keep_theirs(
    access: Access, server: ServerProcess
) -> None:
    auditor = access.token("auditor")
    assert outcome(server, "GetCustomer", auditor) == ADMITTED
    text = access.config.read_text()
    access.config.write_text(text.replace('"sub:auditor"\nrole = "auditor"', '"sub:auditor"\nrole = "auditer"'))
    eventually(lambda: outcome(server, "GetCustomer", auditor) == "PERMISSION_DENIED", "refused")
    assert is_admitted(server, access.token("operator"))
    (said,) = eventually(lambda: warnings(server, f"callers ({access.config})"), "logged")
    assert said.startswith("callers ")
    assert "role must be one of" in said
    access.config.write_text(text)
    eventually(lambda: outcome(server, "GetCustomer", auditor) == ADMITTED, "admitted")


def test_a_bound_caller_never_becomes_an_unbound_one(access: Access, server: ServerProcess) -> None:
    bound = access.token("partner-center")
    assert outcome(server, "GetCustomer", bound) == ADMITTED
    before, name, after = access.config.read_text().partition('"sub:partner-center"')
    access.config.write_text(before + name + after.replace('partners = ["partner"]', 'partner = ["partner"]', 1))
    eventually(lambda: outcome(server, "GetCustomer", bound) == "PERMISSION_DENIED", "refused")
    for method in ("ListRules", "ListCustomers", "FreezeCustomer"):
        assert outcome(server, method, bound) == "PERMISSION_DENIED"


def test_a_certificate_of_two_callers_stays_one_where_a_table_is_passed_over(
    access: Access, server: ServerProcess
) -> None:
    both = {"hosts": ["operator.test", "auditor.test"]}
    with access.by_certificate(server, **both) as caller:
        assert outcome(caller, "ListRules") == "UNAUTHENTICATED"
        text = access.config.read_text()
        access.config.write_text(text.replace('"dns:auditor.test"\nrole = "auditor"', '"dns:auditor.test"\nrole = 7'))
        eventually(lambda: warnings(server, "callers ("), "ignored")
        with access.by_certificate(server, hosts=["auditor.test"]) as alone:
            eventually(lambda: outcome(alone, "ListRules") == "PERMISSION_DENIED", "refused")
        assert outcome(caller, "ListRules") == "UNAUTHENTICATED"


def test_a_bad_table_does_not_keep_a_server_from_starting(access: Access) -> None:
    text = access.config.read_text()
    access.config.write_text(text.replace('"sub:auditor"\nrole = "auditor"', '"sub:auditor"\nrole = "auditer"'))
    with access.server("--workers", "1") as server:
        assert is_admitted(server, access.token("operator"))
        assert outcome(server, "GetCustomer", access.token("auditor")) == "PERMISSION_DENIED"
        assert len(eventually(lambda: warnings(server, "callers ("), "logged")) == 1
