"""The public keys of a token issuer: a JWKS. Each key that cannot verify tokens here is ignored by itself."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from frostgate_server.config.usable import Usable
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


def token_keys(jwks: bytes, allowed: Sequence[str]) -> Usable[Jwks]:
    """The keys of a JWKS for tokens signed by the allowed algorithms, and the reason for each ignored key.

    Raises StartupError if no key is left.
    """
    entries = _entries(jwks)
    found: dict[int, Jwk] = {}
    passed_over: dict[int, str] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            found[number] = _key(entry, allowed)
        except ValueError as error:
            passed_over[number] = str(error)
    keys: dict[str | None, Jwk] = {}
    for number, key in found.items():
        try:
            keys[_kid(entries[number - 1], keys, is_only=len(found) == 1)] = key
        except ValueError as error:
            passed_over[number] = str(error)
    problems = tuple(f"key {number}: {why}" for number, why in sorted(passed_over.items()))
    if not keys:
        raise StartupError("; ".join(problems))
    return Usable(Jwks(keys), problems)


def _entries(jwks: bytes) -> list[Any]:
    """Raises StartupError if there are none."""
    try:
        document = json.loads(jwks)
        entries = document["keys"]
    except (ValueError, RecursionError, KeyError, TypeError):
        entries = None
    if not isinstance(entries, list) or not entries:
        raise StartupError('is not a JWKS: must be JSON with a list of "keys", at least one')
    return entries


def _kid(entry: dict[str, Any], others: Collection[str | None], *, is_only: bool) -> str | None:
    """Raises ValueError if the key cannot be told from the others."""
    kid = entry.get("kid")
    if kid is None and is_only:
        return None
    if not isinstance(kid, str) or not kid:
        raise ValueError("kid must be a non-empty string: it identifies the key")
    if kid in others:
        raise ValueError(f"kid {kid!r} is listed twice")
    return kid


def _key(entry: Any, allowed: Sequence[str]) -> Jwk:
    """Raises ValueError if the key is not one that only verifies, by an algorithm that is allowed."""
    if not isinstance(entry, dict):
        raise ValueError("is not a key")
    if entry.get("kty") == "oct" or _PRIVATE & entry.keys():
        raise ValueError("is secret: only public keys are allowed")
    if entry.get("use", "sig") != "sig" or "verify" not in _list(entry.get("key_ops", ["verify"])):
        raise ValueError("is not for signatures")
    kind = (str(entry.get("kty")), str(entry.get("crv", "")))
    named = [entry["alg"]] if "alg" in entry else list(_ALGORITHMS.get(kind, ()))
    algorithms = tuple(name for name in _ALGORITHMS.get(kind, ()) if name in named and name in allowed)
    if not algorithms:
        raise ValueError(f"fits none of the algorithms {', '.join(allowed)}")
    try:
        key = jwt.PyJWK(entry, algorithm=algorithms[0]).key
    except Exception as error:
        raise ValueError("cannot be read") from error
    if isinstance(key, rsa.RSAPublicKey) and not SHORTEST_RSA <= key.key_size <= LONGEST_RSA:
        raise ValueError(f"has {key.key_size} bits, but must have {SHORTEST_RSA} to {LONGEST_RSA}")
    material = json.dumps([entry.get(part) for part in ("kty", "crv", "n", "e", "x", "y", "kid")] + [*algorithms])
    return Jwk(key, algorithms, hashlib.sha256(material.encode()).hexdigest())


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
