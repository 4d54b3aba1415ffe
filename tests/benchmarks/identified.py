"""The ways in which a server knows its callers, and what it and they need for each: made for one measurement."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import time

import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from support.credentials import AUDIENCE, ISSUER, SigningKey, jwks, signing_key, token

WORKERS = 2
"""Of each of these servers."""

MOST_CALLS = 4_000
"""A second, for which there is a token each. The load says when they do not last."""

_HOST = "control-plane.bench"
_SUBJECT = "control-plane@bench"
_CALLERS = "".join(
    f'[[callers]]\nprincipal = "{principal}"\nrole = "control-plane"\n\n'
    for principal in (f"dns:{_HOST}", f"sub:{_SUBJECT}")
)
_LIFETIME = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Way:
    """How callers are known: by a certificate, by tokens that are signed by an algorithm, or not at all.

    `stranger` is how a caller is answered who shows nothing. With `new`, every call has a token that nobody has seen.
    """

    name: str
    stranger: str
    tls: bool = True
    certificate: bool = False
    algorithm: str = ""
    new: bool = False


PLAINTEXT = Way("plaintext", "OK", tls=False)
WAYS = [
    PLAINTEXT,
    Way("TLS", "OK"),
    Way("mTLS", "Unavailable", certificate=True),
    Way("TLS with an RS256 token", "Unauthenticated", algorithm="RS256"),
    Way("TLS with an ES256 token", "Unauthenticated", algorithm="ES256"),
    Way("TLS with new RS256 tokens", "Unauthenticated", algorithm="RS256", new=True),
    Way("TLS with new ES256 tokens", "Unauthenticated", algorithm="ES256", new=True),
]
"""What the first one reaches is what the others are held against. The handshake itself refuses who has to show a
certificate and has none."""


class Papers:
    """Certificates, keys and tokens, as files in a directory. Nobody else trusts them."""

    def __init__(self, directory: Path, seconds: float) -> None:
        """Makes them all, with enough tokens for so many seconds of calls that have one each."""
        self._directory = directory
        servers, callers = trustme.CA(), trustme.CA()
        servers.cert_pem.write_to_path(self._path("servers.pem"))
        callers.cert_pem.write_to_path(self._path("callers.pem"))
        self._write_certificate("server", servers.issue_cert("127.0.0.1"))
        self._write_certificate("caller", callers.issue_cert(_HOST))
        keys: dict[str, SigningKey] = {"RS256": signing_key("bench"), "ES256": ec.generate_private_key(ec.SECP256R1())}
        self._path("jwks.json").write_bytes(jwks(**keys))
        self._path("callers.toml").write_text(_CALLERS)
        self.tokens = int(seconds * MOST_CALLS)
        print(f"Signing {self.tokens:,} tokens of each kind …", flush=True)
        for algorithm, key in keys.items():
            self._write_tokens(algorithm, key)

    def of_server(self, way: Way) -> list[str]:
        """The flags of a server that knows its callers in this way."""
        flags = ["--workers", str(WORKERS)]
        if not way.tls:
            return flags
        flags += ["--tls-certificate", self._name("server.pem"), "--tls-key", self._name("server.key")]
        if way.certificate:
            flags += ["--listen", "", "--mtls-listen", "127.0.0.1:0", "--client-ca", self._name("callers.pem")]
        if way.algorithm:
            flags += ["--token-issuer", ISSUER, "--token-audience", AUDIENCE, "--token-keys", self._name("jwks.json")]
        return [*flags, "--config", self._name("callers.toml")] if way.certificate or way.algorithm else flags

    def of_callers(self, way: Way) -> list[str]:
        """The flags of the load."""
        flags = [f"-stranger={way.stranger}"]
        if way.tls:
            flags += [f"-ca={self._name('servers.pem')}"]
        if way.certificate:
            flags += [f"-certificate={self._name('caller.pem')}", f"-key={self._name('caller.key')}"]
        if way.new:
            flags += [f"-tokens={self._name(f'{way.algorithm}.all')}", "-each-token-once"]
        elif way.algorithm:
            flags += [f"-tokens={self._name(f'{way.algorithm}.one')}"]
        return flags

    def _write_certificate(self, name: str, issued: trustme.LeafCert) -> None:
        for pem in issued.cert_chain_pems:
            pem.write_to_path(self._path(f"{name}.pem"), append=True)
        issued.private_key_pem.write_to_path(self._path(f"{name}.key"))

    def _write_tokens(self, algorithm: str, key: SigningKey) -> None:
        """All of them, and one."""
        expires = int(time() + _LIFETIME.total_seconds())
        tokens = [
            token(_SUBJECT, key, kid=algorithm, algorithm=algorithm, exp=expires, jti=str(number))
            for number in range(self.tokens)
        ]
        self._path(f"{algorithm}.all").write_text("\n".join(tokens))
        self._path(f"{algorithm}.one").write_text(tokens[0])

    def _path(self, name: str) -> Path:
        return self._directory / name

    def _name(self, name: str) -> str:
        return str(self._path(name))
