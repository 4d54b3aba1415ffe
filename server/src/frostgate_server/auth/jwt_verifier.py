"""Bearer tokens: JWTs of one issuer for one audience, verified once and then known by their hash."""

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.utils import base64url_decode

from frostgate_server.domain.principal import is_subject

from .credential import BadCredential, Credential
from .jwks import Jwks

LONGEST_TOKEN = 8192
"""Bytes."""

TOKENS_KEPT = 4096

_REQUIRED = ["exp", "sub", "iss", "aud"]

_REASONS: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "a token that has expired",
    jwt.ImmatureSignatureError: "a token that is not valid yet: its nbf or iat is in the future",
    jwt.InvalidIssuedAtError: "a token whose iat is not a number",
    jwt.InvalidIssuerError: "a token whose iss is not token_issuer",
    jwt.InvalidAudienceError: "a token whose aud does not contain token_audience",
    jwt.exceptions.InvalidSubjectError: "a token whose sub is not a valid name",
    jwt.exceptions.InvalidJTIError: "a token whose jti is not a string",
    jwt.InvalidSignatureError: "a token with a wrong signature",
    jwt.DecodeError: "a malformed token",
}
"""The reason for the log, by the error of PyJWT. A wrong signature is a DecodeError too, so it comes first."""


def bearer_token(metadata: Sequence[tuple[str, str | bytes]] | None) -> str | None:
    """The token of a call; None if the call has no token. Raises BadCredential for an invalid header."""
    headers = [value for key, value in metadata or () if key == "authorization"]
    if not headers:
        return None
    if len(headers) > 1:
        raise BadCredential(f"{len(headers)} authorization headers")
    header = headers[0] if isinstance(headers[0], str) else headers[0].decode("ascii", "replace")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
        raise BadCredential(f"an authorization header that is not a bearer token of at most {LONGEST_TOKEN} bytes")
    return token


@dataclass(frozen=True, slots=True)
class JwtRules:
    """The rules for every token. `leeway` is in seconds."""

    issuer: str
    audience: str
    leeway: float


class JwtVerifier:
    """Verifies tokens with one set of keys, and remembers valid ones. The caller of this class checks their expiry."""

    def __init__(self, rules: JwtRules, keys: Jwks) -> None:
        """Knows no token yet."""
        self.keys = keys
        self._rules = rules
        self._known: dict[bytes, Credential] = {}
        self._lock = threading.Lock()

    def find_verified(self, token: str) -> Credential | None:
        """What a token that was good before proves; None if it has to be verified."""
        return self._known.get(_hash(token))

    def verify(self, token: str) -> Credential:
        """What a token proves. Raises BadCredential, which never holds the token."""
        if known := self.find_verified(token):
            return known
        credential = self._verify_signature(token)
        with self._lock:
            if len(self._known) >= TOKENS_KEPT:
                del self._known[next(iter(self._known))]
            self._known[_hash(token)] = credential
        return credential

    def _verify_signature(self, token: str) -> Credential:
        try:
            header = _header(token)
            if "crit" in header:
                raise BadCredential("a token with the header parameter crit, which is not supported")
            key = self.keys.find(header.get("kid"))
            if key is None:
                raise BadCredential("a token that is signed by an unknown key")
            if header.get("alg") not in key.algorithms:
                raise BadCredential("a token with an algorithm that does not fit its key")
            return self._credential(self._claims(token, key.key, str(header["alg"])), key.thumbprint)
        except BadCredential:
            raise
        except jwt.PyJWTError as error:
            raise BadCredential(_reason(error)) from None
        except ValueError:
            raise BadCredential("a malformed token") from None
        except Exception as error:  # noqa: BLE001 - a caller's bytes: any error means that they prove nothing
            raise BadCredential(f"a token cannot be read: {type(error).__name__}") from None

    def _claims(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=self._rules.issuer,
            audience=self._rules.audience,
            leeway=self._rules.leeway,
            options={"require": _REQUIRED},
        )

    def _credential(self, claims: dict[str, Any], thumbprint: str) -> Credential:
        if not is_subject(claims["sub"]):
            raise BadCredential("a token whose sub is not a valid name")
        return Credential((f"sub:{claims['sub']}",), int(claims["exp"]) + self._rules.leeway, thumbprint)


def _reason(error: jwt.PyJWTError) -> str:
    """The reason for the log. It does not contain the text of the error, which may quote the token."""
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"a token without the claim {error.claim}"
    reasons = (reason for kind, reason in _REASONS.items() if isinstance(error, kind))
    return next(reasons, f"a token is refused: {type(error).__name__}")


def _header(token: str) -> dict[str, Any]:
    """The header of a token, without a check of the rest, so that a token with an unknown key costs very little.

    Raises ValueError.
    """
    header = json.loads(base64url_decode(token.partition(".")[0]))
    if not isinstance(header, dict):
        raise ValueError("a header that is not an object")
    return header


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
