"""Credentials of callers and servers, made for a test: authorities, certificates, keys, tokens."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from time import time
from typing import Any

import grpc
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

ISSUER = "https://issuer.test"
AUDIENCE = "frostgate"

SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes

    def write(self, directory: Path, name: str) -> None:
        """Writes NAME.pem and NAME.key."""
        (directory / f"{name}.pem").write_bytes(self.certificate)
        (directory / f"{name}.key").write_bytes(self.key)


class Authority:
    """Signs certificates. Only programs that get its `pem` trust it."""

    def __init__(self, name: str = "authority", expires_in: timedelta = timedelta(days=1)) -> None:
        """Makes a new authority with its own key."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + expires_in)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        *,
        uris: Sequence[str] = (),
        hosts: Sequence[str] = (),
        name: str = "somebody",
        starts_in: timedelta = timedelta(days=-1),
        expires_in: timedelta = timedelta(hours=1),
    ) -> Issued:
        """A certificate with these URIs and DNS names, or only with the common name if there are none."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts_in)
            .not_valid_after(now + expires_in)
        )
        names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, hosts)]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        return Issued(certificate, pem_of(key))

    def channel(self, shown: Issued | None = None) -> grpc.ChannelCredentials:
        """The channel credentials of a caller that trusts this authority and sends a certificate."""
        if shown is None:
            return grpc.ssl_channel_credentials(self.pem)
        return grpc.ssl_channel_credentials(self.pem, shown.key, shown.certificate)


def pem_of(key: SigningKey, password: bytes = b"") -> bytes:
    """A private key, encrypted if there is a password."""
    encryption: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@cache
def signing_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """An RSA key with this name. It is made only once, because that takes long."""
    assert name
    return rsa.generate_private_key(65537, bits)


def public_pem(key: SigningKey) -> bytes:
    """A public key in PEM, which an attack uses as a shared secret."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key: SigningKey, **more: Any) -> dict[str, Any]:
    """The public key, as an entry of a JWKS."""
    algorithms: dict[type, Any] = {
        rsa.RSAPublicKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePublicKey: jwt.algorithms.ECAlgorithm,
        ed25519.Ed25519PublicKey: jwt.algorithms.OKPAlgorithm,
    }
    public = key.public_key()
    algorithm = next(one for kind, one in algorithms.items() if isinstance(public, kind))
    entry: dict[str, Any] = {**algorithm.to_jwk(public, as_dict=True), **more}
    entry.pop("key_ops", None) if "key_ops" not in more else None
    return entry


def jwks(**keys: SigningKey) -> bytes:
    """A JWKS of keys by kid."""
    return json.dumps({"keys": [jwk(key, kid=kid) for kid, key in keys.items()]}).encode()


def claims(subject: object, **more: Any) -> dict[str, Any]:
    """The claims of a valid token for ten minutes. A claim that is None is left out."""
    now = int(time())
    every = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600, **more}
    return {name: value for name, value in every.items() if value is not None}


def token(
    subject: object,
    key: SigningKey,
    *,
    kid: str | None = "one",
    algorithm: str = "RS256",
    headers: dict[str, Any] | None = None,
    **more: Any,
) -> str:
    """A token, signed by the key."""
    named = {} if kid is None else {"kid": kid}
    payload = json.dumps(claims(subject, **more)).encode()
    return jwt.api_jws.encode(payload, key, algorithm=algorithm, headers={**named, **(headers or {})})


def bearer(text: str) -> tuple[tuple[str, str], ...]:
    """The metadata with a token."""
    return (("authorization", f"Bearer {text}"),)
