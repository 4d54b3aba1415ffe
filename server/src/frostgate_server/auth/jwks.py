"""The public keys of a token issuer: a JWKS, of which every key can be used, or nothing is."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from frostgate_server.domain.errors import StartupError

SHORTEST_RSA, LONGEST_RSA = 2048, 8192
"""Bits. Longer keys would make a stranger's token cost more than it may."""

_ALGORITHMS = {
    ("RSA", ""): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""What a key can verify, by its type and curve."""

_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@dataclass(frozen=True, slots=True)
class Jwk:
    """A key, what it verifies, and a thumbprint of both."""

    key: Any
    algorithms: tuple[str, ...]
    thumbprint: str


class Jwks:
    """The keys of an issuer, by their kid."""

    def __init__(self, keys: dict[str | None, Jwk]) -> None:
        """Takes at least one key; None for the kid of one that has none, which then is the only one."""
        self._keys = keys
        self.thumbprints = frozenset(key.thumbprint for key in keys.values())

    def find(self, kid: object) -> Jwk | None:
        """The key of a token. One that names no key can only mean the only one."""
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid) if isinstance(kid, str) else None


def token_keys(jwks: bytes, allowed: Sequence[str]) -> Jwks:
    """The keys of a JWKS for tokens signed by the allowed algorithms. Raises StartupError with every problem."""
    try:
        document = json.loads(jwks)
        entries = document["keys"]
    except (ValueError, RecursionError, KeyError, TypeError):
        entries = None
    if not isinstance(entries, list) or not entries:
        raise StartupError('is no JWKS: must be JSON with a list of "keys", at least one')
    keys: dict[str | None, Jwk] = {}
    problems = []
    # Issuers publish keys for encryption in the same set: no token is verified by one.
    signing = [pair for pair in enumerate(entries, start=1) if not _encrypts(pair[1])]
    for number, entry in signing:
        try:
            kid = _kid(entry, is_only=len(signing) == 1)
            if kid in keys:
                raise ValueError(f"kid {kid!r} stands there twice")
            keys[kid] = _key(entry, allowed)
        except ValueError as error:
            problems.append(f"key {number}: {error}")
    if not keys and not problems:
        problems.append("there is no key for signatures")
    if problems:
        raise StartupError("; ".join(problems))
    return Jwks(keys)


def _encrypts(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("use") == "enc"


def _kid(entry: object, is_only: bool) -> str | None:
    if not isinstance(entry, dict):
        raise ValueError("is no key")
    kid = entry.get("kid")
    if kid is None and is_only:
        return None
    if not isinstance(kid, str) or not kid:
        raise ValueError("kid must be a name, as there are other keys")
    return kid


def _key(entry: dict[str, Any], allowed: Sequence[str]) -> Jwk:
    """Raises ValueError if the key is not one that only verifies, by an algorithm that is allowed."""
    if entry.get("kty") == "oct" or _PRIVATE & entry.keys():
        raise ValueError("is secret: only public keys may be here")
    if entry.get("use", "sig") != "sig" or "verify" not in _list(entry.get("key_ops", ["verify"])):
        raise ValueError("is not for signatures")
    kind = (str(entry.get("kty")), str(entry.get("crv", "")))
    named = [entry["alg"]] if "alg" in entry else list(_ALGORITHMS.get(kind, ()))
    algorithms = tuple(name for name in _ALGORITHMS.get(kind, ()) if name in named and name in allowed)
    if not algorithms:
        raise ValueError(f"is for none of {', '.join(allowed)}")
    try:
        key = jwt.PyJWK(entry, algorithm=algorithms[0]).key
    except Exception as error:
        raise ValueError("cannot be read") from error
    if isinstance(key, rsa.RSAPublicKey) and not SHORTEST_RSA <= key.key_size <= LONGEST_RSA:
        raise ValueError(f"has {key.key_size} bits, and must have {SHORTEST_RSA} to {LONGEST_RSA}")
    material = json.dumps([entry.get(part) for part in ("kty", "crv", "n", "e", "x", "y", "kid")] + [*algorithms])
    return Jwk(key, algorithms, hashlib.sha256(material.encode()).hexdigest())


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
