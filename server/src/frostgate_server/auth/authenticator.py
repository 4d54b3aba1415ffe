"""Who calls: from what a call shows to a caller with a role, or a refusal."""

import logging
from collections.abc import Set
from contextvars import ContextVar
from time import time

from frostgate_server.config.callers_table import KnownCaller
from frostgate_server.config.settings import Settings
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.errors import FrostgateError, MethodNotPermitted, Unauthenticated
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

preverified_credential: ContextVar[Credential | FrostgateError | None] = ContextVar(
    "preverified_credential", default=None
)
"""What became of a call's token, where it was verified before the call's turn. Set in the context of the call."""


class CredentialAuthenticator:
    """For servers with callers."""

    def __init__(self, settings: Settings, files: CredentialFiles) -> None:
        """Goes by what the files hold, whenever it is asked."""
        self._files = files
        self._rules = JwtRules(settings.token_issuer, settings.token_audience, settings.token_leeway.total_seconds())
        self._verifier: JwtVerifier | None = None

    def authenticate(self, call: Call, method: str, roles: Set[Role]) -> Caller:
        known = self._authorize(self._credential(call), method, roles)
        return Caller(call.is_active, known.principal, known.partners)

    def permit_stream(self, call: Call, method: str, roles: Set[Role]) -> StreamPermit:
        permit = _CredentialPermit(self, self._credential(call), method, roles)
        permit.ensure_holds()
        return permit

    def find_verified(self, token: str) -> Credential | None:
        """What a token proves that was verified before; None if it has to be."""
        verifier = self._current_verifier()
        return None if verifier is None else verifier.find_verified(token)

    def verify(self, token: str) -> Credential:
        """What a token proves. Raises Unauthenticated."""
        verifier = self._current_verifier()
        try:
            if verifier is None:
                raise BadCredential("a token, and none are taken")
            return verifier.verify(token)
        except BadCredential as bad:
            raise self._reject(_TOKEN, bad) from None

    def ensure_holds(self, credential: Credential, method: str, roles: Set[Role]) -> None:
        """Raises Unauthenticated or MethodNotPermitted unless the credential's caller has one of the roles now."""
        self._authorize(credential, method, roles)

    def _credential(self, call: Call) -> Credential:
        """What the call proves. Where a certificate is asked for, it alone counts. Raises Unauthenticated."""
        connection = call.auth_context()
        if certificates := connection.get("x509_pem_cert"):
            credential = read_client_certificate(certificates[0])
            if isinstance(credential, BadCredential):
                raise self._reject(_CERTIFICATE, credential)
            return credential
        if self._files.token_keys is None or b"ssl" not in connection.get("transport_security_type", ()):
            raise self._reject(_ELSEWHERE, BadCredential("a call without a certificate where no token is taken"))
        if (before := preverified_credential.get()) is not None:
            if isinstance(before, FrostgateError):
                raise before
            return before
        try:
            token = bearer_token(call.invocation_metadata())
        except BadCredential as bad:
            raise self._reject(_TOKEN, bad) from None
        if token is None:
            raise self._reject(_TOKEN, BadCredential("a call without a token"))
        return self.verify(token)

    def _authorize(self, credential: Credential, method: str, roles: Set[Role]) -> KnownCaller:
        wanted = _TOKEN if credential.key else _CERTIFICATE
        if credential.expires <= time():
            raise self._reject(wanted, BadCredential(f"the credential of {credential.principals[0]} has expired"))
        if credential.key and (
            self._files.token_keys is None or credential.key not in self._files.token_keys.value.thumbprints
        ):
            raise self._reject(wanted, BadCredential(f"the key of {credential.principals[0]}'s token is gone"))
        assert self._files.callers is not None, "only a server with callers has authenticator"
        callers = self._files.callers.value
        known = [callers[principal] for principal in credential.principals if principal in callers]
        if len(known) > 1:
            raise self._reject(wanted, BadCredential(f"a certificate of {len(known)} callers"))
        if not known:
            _log.note(f"{credential.principals[0]} is no caller")
            raise MethodNotPermitted(credential.principals[0], method, known=False)
        if known[0].role not in roles:
            raise MethodNotPermitted(known[0].principal, method, known=True)
        return known[0]

    def _current_verifier(self) -> JwtVerifier | None:
        """For the keys that count now: with other keys all tokens are verified anew."""
        if self._files.token_keys is None:
            return None
        keys, verifier = self._files.token_keys.value, self._verifier
        if verifier is None or verifier.keys is not keys:
            verifier = self._verifier = JwtVerifier(self._rules, keys)
        return verifier

    def _reject(self, wanted: str, bad: BadCredential) -> Unauthenticated:
        _log.note(str(bad))
        return Unauthenticated(wanted=wanted)


class _CredentialPermit:
    def __init__(
        self, authenticator: CredentialAuthenticator, credential: Credential, method: str, roles: Set[Role]
    ) -> None:
        self._authenticator = authenticator
        self._credential = credential
        self._method = method
        self._roles = roles

    def ensure_holds(self) -> None:
        self._authenticator.ensure_holds(self._credential, self._method, self._roles)
