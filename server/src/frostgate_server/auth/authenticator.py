"""Who calls: from what a call shows to a caller with a role, or a refusal."""

import logging
from collections.abc import Callable, Set
from dataclasses import dataclass
from time import time
from urllib.parse import unquote

from frostgate_server.config.callers_table import KnownCaller
from frostgate_server.config.settings import Settings
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.errors import MethodNotPermitted, Unauthenticated
from frostgate_server.domain.roles import Role
from frostgate_server.observability.rate_limited_log import RateLimitedLog

from .certificates import read_client_certificate
from .credential import BadCredential, Credential
from .credential_files import CredentialFiles
from .interface import Call, StreamPermit
from .jwt_verifier import JwtRules, JwtVerifier, bearer_token

_log = RateLimitedLog(logging.getLogger(__name__))

_CERTIFICATE = "show a client certificate, not expired, with a SPIFFE URI or the DNS name of a caller"
_TOKEN = "send a valid bearer token over TLS"  # noqa: S105 - advice
_ELSEWHERE = "call the address that asks for client certificates"


class CredentialAuthenticator:
    """For servers with callers."""

    def __init__(self, settings: Settings, files: CredentialFiles) -> None:
        """Goes by what the files hold, whenever it is asked."""
        self._files = files
        self._rules = JwtRules(settings.token_issuer, settings.token_audience, settings.token_leeway.total_seconds())
        self._verifier: JwtVerifier | None = None

    def authenticate(self, call: Call, method: str, roles: Set[Role]) -> Caller:
        attempt = _Attempt(method, call.peer)
        known = self._authorize(self._credential(call, attempt), attempt, roles)
        return Caller(call.is_active, known.principal, known.partners)

    def find_known(self, call: Call, roles: Set[Role]) -> Caller | None:
        try:
            credential = self._find_verified(call)
        except BadCredential:
            return None
        if credential is None or credential.expires <= time() or not self._has_key_of(credential):
            return None
        known = self._callers_of(credential)
        if len(known) != 1 or known[0].role not in roles:
            return None
        return Caller(call.is_active, known[0].principal, known[0].partners)

    def permit_stream(self, call: Call, method: str, roles: Set[Role]) -> StreamPermit:
        # A stream may have ended when its permit is asked again.
        peer = call.peer()
        attempt = _Attempt(method, lambda: peer)
        permit = _CredentialPermit(self, self._credential(call, attempt), attempt, roles)
        permit.ensure_holds()
        return permit

    def ensure_holds(self, credential: Credential, attempt: "_Attempt", roles: Set[Role]) -> None:
        """Raises Unauthenticated or MethodNotPermitted unless the credential's caller has one of the roles now."""
        self._authorize(credential, attempt, roles)

    def _credential(self, call: Call, attempt: "_Attempt") -> Credential:
        """What the call proves. Where a certificate is asked for, it alone counts. Raises Unauthenticated."""
        connection = call.auth_context()
        if certificates := connection.get("x509_pem_cert"):
            credential = read_client_certificate(certificates[0])
            if isinstance(credential, BadCredential):
                raise attempt.reject(_CERTIFICATE, credential)
            return credential
        if self._files.token_keys is None or b"ssl" not in connection.get("transport_security_type", ()):
            raise attempt.reject(
                _ELSEWHERE, BadCredential("a call without a certificate, at an address that accepts no tokens")
            )
        try:
            token = bearer_token(call.invocation_metadata())
            if token is None:
                raise BadCredential("a call without a token")
            return self._verify(token)
        except BadCredential as bad:
            raise attempt.reject(_TOKEN, bad) from None

    def _find_verified(self, call: Call) -> Credential | None:
        """What the call proves, if that was verified before. Raises BadCredential."""
        connection = call.auth_context()
        if certificates := connection.get("x509_pem_cert"):
            credential = read_client_certificate(certificates[0])
            return None if isinstance(credential, BadCredential) else credential
        verifier = self._current_verifier()
        if verifier is None or b"ssl" not in connection.get("transport_security_type", ()):
            return None
        token = bearer_token(call.invocation_metadata())
        return None if token is None else verifier.find_verified(token)

    def _verify(self, token: str) -> Credential:
        """What a token proves. Raises BadCredential."""
        verifier = self._current_verifier()
        if verifier is None:
            raise BadCredential("a token, but no tokens are accepted")
        return verifier.verify(token)

    def _authorize(self, credential: Credential, attempt: "_Attempt", roles: Set[Role]) -> KnownCaller:
        wanted = _TOKEN if credential.key else _CERTIFICATE
        if credential.expires <= time():
            raise attempt.reject(wanted, BadCredential(f"the credential of {credential.principals[0]} has expired"))
        if not self._has_key_of(credential):
            raise attempt.reject(wanted, BadCredential(f"the key of {credential.principals[0]}'s token was removed"))
        known = self._callers_of(credential)
        if len(known) > 1:
            raise attempt.reject(wanted, BadCredential(f"a certificate with the names of {len(known)} callers"))
        if not known or known[0].role is None:
            attempt.note(f"{credential.principals[0]} is not a caller")
            raise MethodNotPermitted(credential.principals[0], attempt.method, known=False)
        if known[0].role not in roles:
            attempt.note(f"{known[0].principal} has the role {known[0].role}, which may not call this method")
            raise MethodNotPermitted(known[0].principal, attempt.method, known=True)
        return known[0]

    def _has_key_of(self, credential: Credential) -> bool:
        """Whether the key of a token is still one of the issuer's. A certificate has none."""
        keys = self._files.token_keys
        return not credential.key or (keys is not None and credential.key in keys.value.thumbprints)

    def _callers_of(self, credential: Credential) -> list[KnownCaller]:
        """The callers whose names the credential proves: one, if all is well."""
        assert self._files.callers is not None, "only a server with callers has this authenticator"
        callers = self._files.callers.value
        return [callers[principal] for principal in credential.principals if principal in callers]

    def _current_verifier(self) -> JwtVerifier | None:
        """For the keys that count now: with other keys all tokens are verified anew."""
        if self._files.token_keys is None:
            return None
        keys, verifier = self._files.token_keys.value, self._verifier
        if verifier is None or verifier.keys is not keys:
            verifier = self._verifier = JwtVerifier(self._rules, keys)
        return verifier


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A call, as the log names it: its method, and where it comes from."""

    method: str
    peer: Callable[[], str]

    def reject(self, wanted: str, bad: BadCredential) -> Unauthenticated:
        """The error for a credential that proves nothing. What is wrong with it is only logged."""
        self.note(str(bad))
        return Unauthenticated(wanted=wanted)

    def note(self, why: str) -> None:
        """Logs why the call is refused."""
        _log.note(f"{self.method} from {unquote(self.peer()) or 'an unknown address'}: {why}")


class _CredentialPermit:
    def __init__(
        self, authenticator: CredentialAuthenticator, credential: Credential, attempt: _Attempt, roles: Set[Role]
    ) -> None:
        self._authenticator = authenticator
        self._credential = credential
        self._attempt = attempt
        self._roles = roles

    def ensure_holds(self) -> None:
        self._authenticator.ensure_holds(self._credential, self._attempt, self._roles)
