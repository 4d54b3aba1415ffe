"""Makes what a trial with TLS, client certificates and tokens needs, in a new directory: `make certificates`.

One authority signs the server's certificate and those of four callers, one for each role; one key signs their tokens.
For a trial only: a deployment has its own authority and token issuer.
"""

import ipaddress
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CALLERS = {
    "partner-center": "partner-center",
    "billing": "control-plane",
    "auditor": "auditor",
    "operator": "operator",
}
"""The roles of the callers, by name."""

PARTNERS = ["p-1"]
"""Whom the partner center is bound to."""

ISSUER = "https://login.example.org"
AUDIENCE = "frostgate"
KEY_ID = "trial"
CERTIFICATES_LAST = timedelta(days=30)
TOKENS_LAST = timedelta(days=1)

SETTINGS = """\
listen = "127.0.0.1:50051"
mtls_listen = "127.0.0.1:50052"
tls_certificate = {server_certificate}
tls_key = {server_key}
client_ca = {client_ca}
token_issuer = {issuer}
token_audience = {audience}
token_keys = {token_keys}
database = {database}
create = true
"""


class Authority:
    """Signs certificates."""

    def __init__(self) -> None:
        """A new one, with a key of its own."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "frostgate trial")])
        unsigned = (
            self._unsigned(self._name, self.key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        self.certificate = unsigned.sign(self.key, hashes.SHA256())

    def issue(
        self, name: str, subjects: Sequence[x509.GeneralName], purpose: x509.ObjectIdentifier
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """A certificate of these subjects, and its key. The server goes by the subjects, never by the common name."""
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = (
            self._unsigned(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
        )
        return unsigned.sign(self.key, hashes.SHA256()), key

    def _unsigned(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + CERTIFICATES_LAST)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )


def make(directory: Path) -> None:
    """Fills a new directory, which others may not read. Raises FileExistsError if it is there."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=0o700)
    authority = Authority()
    write(directory / "ca.pem", _pem(authority.certificate))
    write_secret(directory / "ca.key", _pem_of_key(authority.key))
    here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    _write_issued(directory, "server", authority.issue("server", here, ExtendedKeyUsageOID.SERVER_AUTH))
    signing_key = ec.generate_private_key(ec.SECP256R1())
    write_secret(directory / "tokens.key", _pem_of_key(signing_key))
    write(directory / "jwks.json", jwks(signing_key.public_key()))
    for name in CALLERS:
        uri = x509.UniformResourceIdentifier(spiffe_id(name))
        _write_issued(directory, name, authority.issue(name, [uri], ExtendedKeyUsageOID.CLIENT_AUTH))
        write_secret(directory / f"{name}.token", token(name, signing_key).encode())
    write(directory / "frostgate.toml", settings(directory.absolute()).encode())


def spiffe_id(name: str) -> str:
    """What a caller's certificate says that it is."""
    return f"spiffe://example.org/{name}"


def jwks(key: ec.EllipticCurvePublicKey) -> bytes:
    """The public key, as the server reads it."""
    entry = jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True)
    return json.dumps({"keys": [{**entry, "kid": KEY_ID, "use": "sig", "alg": "ES256"}]}, indent=2).encode()


def token(name: str, key: ec.EllipticCurvePrivateKey) -> str:
    """A bearer token of a caller."""
    now = int(time())
    expires = now + int(TOKENS_LAST.total_seconds())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": name, "iat": now, "exp": expires}
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": KEY_ID})


def settings(directory: Path) -> str:
    """The file for `frostgate-server serve --config`: each caller has a role by its certificate, and by its token."""
    values = {
        "server_certificate": str(directory / "server.pem"),
        "server_key": str(directory / "server.key"),
        "client_ca": str(directory / "ca.pem"),
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "token_keys": str(directory / "jwks.json"),
        "database": str(directory / "frostgate.db"),
    }
    quoted = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    tables = [
        _table(principal, role) for name, role in CALLERS.items() for principal in (spiffe_id(name), f"sub:{name}")
    ]
    return "\n".join([SETTINGS.format(**quoted), *tables])


def write(path: Path, content: bytes) -> None:
    """A file that others may read."""
    path.write_bytes(content)


def write_secret(path: Path, content: bytes) -> None:
    """A file that other users can never read, not even while it is written."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)


def _table(principal: str, role: str) -> str:
    partners = f"partners = {json.dumps(PARTNERS)}\n" if role == "partner-center" else ""
    return f"[[callers]]\nprincipal = {json.dumps(principal)}\nrole = {json.dumps(role)}\n{partners}"


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_issued(directory: Path, name: str, issued: tuple[x509.Certificate, ec.EllipticCurvePrivateKey]) -> None:
    certificate, key = issued
    write(directory / f"{name}.pem", _pem(certificate))
    write_secret(directory / f"{name}.key", _pem_of_key(key))


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def main(arguments: Sequence[str]) -> int:
    """Makes the directory that is named. Gives the exit status."""
    if len(arguments) != 1:
        print("usage: make_certificates.py DIRECTORY", file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    try:
        make(directory)
    except FileExistsError:
        print(f"{directory} is there already: remove it, or name another one", file=sys.stderr)
        return 1
    print(f"{directory.name}: an authority, a server, and callers {', '.join(CALLERS)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
