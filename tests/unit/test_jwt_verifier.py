"""Tokens and the keys that verify them, without a server."""

import json
from time import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from frostgate_server.auth import jwt_verifier
from frostgate_server.auth.credential import BadCredential, Credential
from frostgate_server.auth.jwks import token_keys
from frostgate_server.auth.jwt_verifier import LONGEST_TOKEN, JwtRules, JwtVerifier, bearer_token
from frostgate_server.config.access_settings import TOKEN_ALGORITHMS
from frostgate_server.domain.errors import StartupError
from support.credentials import AUDIENCE, ISSUER, SigningKey, jwk, jwks, signing_key, token

ONE = signing_key("one")
RULES = JwtRules(ISSUER, AUDIENCE, 30)

KEYS: dict[str, SigningKey] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ONE),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def tokens_of(document: bytes, *allowed: str) -> JwtVerifier:
    return JwtVerifier(RULES, token_keys(document, allowed or TOKEN_ALGORITHMS).value)


def problem_of(*entries: Any, allowed: tuple[str, ...] = TOKEN_ALGORITHMS) -> str:
    with pytest.raises(StartupError) as refused:
        token_keys(json.dumps({"keys": entries}).encode(), allowed)
    return str(refused.value)


def test_every_algorithm_has_a_key_here() -> None:
    assert set(KEYS) == set(TOKEN_ALGORITHMS)


@pytest.mark.parametrize("algorithm", TOKEN_ALGORITHMS)
def test_a_good_token_proves_its_subject_until_it_expires(algorithm: str) -> None:
    tokens = tokens_of(jwks(one=KEYS[algorithm]), algorithm)
    expires = int(time()) + 100
    text = token("somebody", KEYS[algorithm], algorithm=algorithm, exp=expires)
    assert tokens.find_verified(text) is None
    credential = tokens.verify(text)
    assert credential == Credential(("sub:somebody",), expires + 30, credential.key)
    assert {credential.key} == tokens.keys.thumbprints
    assert tokens.find_verified(text) is credential


@pytest.mark.parametrize("algorithm", TOKEN_ALGORITHMS)
def test_an_algorithm_that_is_not_allowed_verifies_nothing(algorithm: str) -> None:
    others = [other for other in TOKEN_ALGORITHMS if other != algorithm]
    document = jwks(one=KEYS[algorithm], two=ec.generate_private_key(ec.SECP256R1()), three=ONE)
    if algorithm[0] == "E":
        keys = token_keys(document, others)
        assert keys.value.find("one") is None
        assert keys.passed_over[0].startswith("key 1: fits none of the algorithms ")
    else:
        tokens = tokens_of(document, *others)
        with pytest.raises(BadCredential, match="with an algorithm that does not fit its key"):
            tokens.verify(token("a", KEYS[algorithm], algorithm=algorithm))


def test_a_key_with_an_algorithm_of_its_own_verifies_no_other() -> None:
    document = json.dumps({"keys": [jwk(ONE, kid="one", alg="PS256")]}).encode()
    tokens_of(document).verify(token("a", ONE, algorithm="PS256"))
    with pytest.raises(BadCredential):
        tokens_of(document).verify(token("a", ONE, algorithm="RS256"))


def test_a_token_without_kid_needs_a_set_of_one_key() -> None:
    text = token("a", ONE, kid=None)
    for document in (json.dumps({"keys": [jwk(ONE)]}).encode(), jwks(other=ONE)):
        assert tokens_of(document).verify(text).principals == ("sub:a",)
    with pytest.raises(BadCredential, match="a token that is signed by an unknown key"):
        tokens_of(jwks(one=ONE, two=signing_key("two"))).verify(text)


REASONS: dict[str, tuple[str, str]] = {
    "expired": (token("a", ONE, exp=1), "a token that has expired"),
    "not valid yet": (token("a", ONE, nbf=2**40), "a token that is not valid yet: its nbf or iat is in the future"),
    "issued later": (token("a", ONE, iat=2**40), "a token that is not valid yet: its nbf or iat is in the future"),
    "no number": (token("a", ONE, iat="now"), "a token whose iat is not a number"),
    "another issuer": (token("a", ONE, iss="b"), "a token whose iss is not token_issuer"),
    "another audience": (token("a", ONE, aud="b"), "a token whose aud does not contain token_audience"),
    "no expiry": (token("a", ONE, exp=None), "a token without the claim exp"),
    "no audience": (token("a", ONE, aud=None), "a token without the claim aud"),
    "no text": (token(7, ONE), "a token whose sub is not a valid name"),
    "another key": (token("a", signing_key("two")), "a token with a wrong signature"),
    "critical header": (
        token("a", ONE, headers={"crit": ["b"]}),
        "a token with the header parameter crit",
    ),
    "truncated": (token("a", ONE)[:-20].rpartition(".")[0], "a malformed token"),
    "no JWT": ("junk", "a malformed token"),
}


@pytest.mark.parametrize("kind", REASONS)
def test_a_refused_token_has_a_plain_reason(kind: str) -> None:
    text, why = REASONS[kind]
    with pytest.raises(BadCredential) as refused:
        tokens_of(jwks(one=ONE)).verify(text)
    assert str(refused.value).startswith(why)
    assert not any(part in str(refused.value) for part in text.split("."))


def test_only_so_many_tokens_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwt_verifier, "TOKENS_KEPT", 2)
    key = KEYS["EdDSA"]
    tokens = tokens_of(jwks(one=key))
    texts = [token(str(number), key, algorithm="EdDSA") for number in range(3)]
    for text in texts:
        tokens.verify(text)
    assert [tokens.find_verified(text) is not None for text in texts] == [False, True, True]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (7, "is not a key"),
        ({"kty": "oct", "k": "AAAA", "kid": "a"}, "is secret: only public keys are allowed"),
        ({**jwk(ONE), "d": "AQAB"}, "is secret: only public keys are allowed"),
        ({"kty": "RSA", "kid": "a"}, "cannot be read"),
        ({**jwk(ONE), "n": 7}, "cannot be read"),
        ({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}, "cannot be read"),
        ({"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA"}, "fits none of the algorithms "),
        ({"kty": "OKP", "crv": "X25519", "x": "AAAA"}, "fits none of the algorithms "),
        ({"kty": "other"}, "fits none of the algorithms "),
        ({}, "fits none of the algorithms "),
        (jwk(ONE, use="other"), "is not for signatures"),
        (jwk(ONE, key_ops=["sign"]), "is not for signatures"),
        (jwk(ONE, key_ops="verify"), "is not for signatures"),
        (jwk(ONE, alg="RSA-OAEP"), "fits none of the algorithms "),
        (jwk(ONE, alg="HS256"), "fits none of the algorithms "),
        (jwk(ONE, alg="ES256"), "fits none of the algorithms "),
        (jwk(ONE, kid=""), "kid must be a non-empty string"),
        (jwk(ONE, kid=7), "kid must be a non-empty string"),
        (jwk(signing_key("weak", 1024)), "has 1024 bits, but must have 2048 to 8192"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_key_that_cannot_be_used_is_refused(entry: Any, said: str) -> None:
    assert problem_of(entry).startswith(f"key 1: {said}")


def test_every_key_that_cannot_be_used_is_named() -> None:
    assert problem_of(jwk(ONE), jwk(ONE), jwk(ONE, kid=7), {"kty": "oct", "kid": "b"}) == (
        "key 1: kid must be a non-empty string: it identifies the key; "
        "key 2: kid must be a non-empty string: it identifies the key; "
        "key 3: kid must be a non-empty string: it identifies the key; key 4: is secret: only public keys are allowed"
    )


@pytest.mark.parametrize(
    "document", [b"", b"null", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"\xff", b"[" * 10_000]
)
def test_what_is_no_jwks_is_refused(document: bytes) -> None:
    with pytest.raises(StartupError, match="is not a JWKS"):
        token_keys(document, TOKEN_ALGORITHMS)


def test_a_bearer_token_is_taken_from_the_one_header() -> None:
    assert bearer_token(None) is None
    assert bearer_token([("other", "x")]) is None
    assert bearer_token([("authorization", "bearer abc")]) == "abc"
    assert bearer_token([("authorization", "Bearer " + "a" * LONGEST_TOKEN)])


@pytest.mark.parametrize(
    "values", [["Bearer a", "Bearer a"], ["Basic a"], ["Bearer"], ["Bearer "], [""], ["Bearer " + "a" * 8193]]
)
def test_what_is_no_bearer_token_is_refused(values: list[str]) -> None:
    with pytest.raises(BadCredential) as refused:
        bearer_token([("authorization", value) for value in values])
    assert "aaaa" not in str(refused.value)


UNUSABLE: dict[str, tuple[Any, str]] = {
    "for encryption": (jwk(signing_key("other"), kid="one", use="enc"), "is not for signatures"),
    "for encryption by key_ops": (jwk(signing_key("other"), kid="one", key_ops=["encrypt"]), "is not for signatures"),
    "of a later kind": (
        {"kty": "AKP", "alg": "ML-DSA-65", "kid": "next", "pub": "AAAA"},
        "fits none of the algorithms ",
    ),
    "X25519": ({"kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "one"}, "fits none of the algorithms "),
    "Ed448": ({"kty": "OKP", "crv": "Ed448", "x": "AAAA", "kid": "b"}, "fits none of the algorithms "),
    "secp256k1": (
        {"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA", "kid": "b"},
        "fits none of the algorithms ",
    ),
    "without a kind": ({"kid": "b"}, "fits none of the algorithms "),
    "broken": ({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA", "kid": "b"}, "cannot be read"),
    "weak": (jwk(signing_key("weak", 1024), kid="b"), "has 1024 bits"),
    "secret": ({"kty": "oct", "k": "AAAA", "kid": "b"}, "is secret"),
    "private": ({**jwk(signing_key("other"), kid="one"), "d": "AQAB"}, "is secret"),
    "no object": ("b", "is not a key"),
    "null": (None, "is not a key"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kid", ["one", None])
def test_a_key_that_cannot_be_used_is_passed_over_and_named(kind: str, first: bool, kid: str | None) -> None:
    entry, why = UNUSABLE[kind]
    signs = jwk(ONE) if kid is None else jwk(ONE, kid=kid)
    entries = [entry, signs] if first else [signs, entry]
    keys = token_keys(json.dumps({"keys": entries}).encode(), TOKEN_ALGORITHMS)
    assert len(keys.value.thumbprints) == 1
    (problem,) = keys.passed_over
    assert problem.startswith(f"key {1 if first else 2}: {why}")
    verifier = JwtVerifier(RULES, keys.value)
    assert verifier.verify(token("a", ONE, kid=kid)).principals == ("sub:a",)


def test_of_two_keys_with_one_kid_the_first_counts() -> None:
    document = json.dumps({"keys": [jwk(ONE, kid="a"), jwk(signing_key("two"), kid="a")]}).encode()
    keys = token_keys(document, TOKEN_ALGORITHMS)
    assert keys.passed_over == ("key 2: kid 'a' is listed twice",)
    JwtVerifier(RULES, keys.value).verify(token("a", ONE, kid="a"))
    with pytest.raises(BadCredential):
        JwtVerifier(RULES, keys.value).verify(token("a", signing_key("two"), kid="a"))


def test_a_key_without_a_kid_is_passed_over_where_another_one_can_be_used() -> None:
    keys = token_keys(json.dumps({"keys": [jwk(ONE), jwk(signing_key("two"), kid="two")]}).encode(), TOKEN_ALGORITHMS)
    assert keys.passed_over == ("key 1: kid must be a non-empty string: it identifies the key",)
