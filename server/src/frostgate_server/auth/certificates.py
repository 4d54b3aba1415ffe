"""Certificates: the server's certificate and key, the authorities of callers, and the principals of a caller's."""

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from frostgate_server.config.usable import Usable, Validity
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.principal import is_host, is_spiffe_id

from .credential import BadCredential, Credential
from .pem_bundle import split_bundle

_NO_CERTIFICATE = "there is no certificate that can be read"

CERTIFICATES_KEPT = 4096
"""Of callers, so that each is parsed once for many calls."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """The certificate chain of the server, its own certificate first, and the private key. PEM."""

    chain: bytes
    key: bytes


def read_server_certificate(chain: bytes, key: bytes) -> Usable[ServerCertificate]:
    """The certificate from the contents of two PEM files. Raises StartupError if they cannot be used together."""
    certificates = _chain(chain)
    try:
        private = load_pem_private_key(key, password=None)
    except TypeError as error:
        raise StartupError("the key is encrypted: use one without encryption") from error
    except Exception as error:
        raise StartupError("there is no private key in the file of the key") from error
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise StartupError("the key must be an RSA or an elliptic curve key")
    public = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if certificates[0].public_key().public_bytes(*public) != private.public_key().public_bytes(*public):
        raise StartupError("certificate and key do not match")
    return Usable(
        ServerCertificate(_pem(certificates), private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
        validities=tuple(
            _validity(f"certificate {number}", certificate) for number, certificate in enumerate(certificates, start=1)
        ),
    )


def authorities(bundle: bytes) -> Usable[bytes]:
    """The certificates of a PEM file, without its other contents.

    A certificate that cannot be read is ignored: what it issued is not trusted. Raises StartupError if none is left.
    """
    found = []
    validities = []
    passed_over = []
    for place, block in split_bundle(bundle):
        try:
            certificate = x509.load_pem_x509_certificate(block)
            certificate.public_key()
            found.append(certificate)
            validities.append(_validity(place, certificate))
        except Exception as error:  # noqa: BLE001 - an invalid certificate does not affect the others
            passed_over.append(f"{place}: cannot be read: {type(error).__name__}")
    if not found:
        raise StartupError("; ".join(passed_over) or _NO_CERTIFICATE)
    return Usable(_pem(found), tuple(passed_over), tuple(validities))


def _chain(pem: bytes) -> list[x509.Certificate]:
    """All certificates of a PEM file. A chain needs each of them. Raises StartupError."""
    try:
        found = x509.load_pem_x509_certificates(pem)
        for certificate in found:
            certificate.public_key()
    except Exception as error:
        raise StartupError(_NO_CERTIFICATE) from error
    return found


def _validity(place: str, certificate: x509.Certificate) -> Validity:
    return Validity(place, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


@lru_cache(CERTIFICATES_KEPT)
def read_client_certificate(pem: bytes) -> Credential | BadCredential:
    """The credential in a client certificate that the handshake has verified. Does not check whether it has expired."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        return Credential(_principals(certificate), certificate.not_valid_after_utc.timestamp())
    except BadCredential as error:
        return error
    except Exception as error:  # noqa: BLE001 - a caller's bytes: any error means that they prove nothing
        return BadCredential(f"a certificate cannot be read: {type(error).__name__}")


def _principals(certificate: x509.Certificate) -> tuple[str, ...]:
    """The SPIFFE id if there is any URI, else all host names. Never the common name."""
    uris: list[str] = []
    hosts: list[str] = []
    with suppress(x509.ExtensionNotFound):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        hosts = names.get_values_for_type(x509.DNSName)
    if len(uris) > 1:
        raise BadCredential(f"a certificate has {len(uris)} URIs")
    if uris:
        if not is_spiffe_id(uris[0]):
            raise BadCredential("a certificate's URI is not a SPIFFE ID")
        return (uris[0],)
    principals = tuple(dict.fromkeys(f"dns:{host.lower()}" for host in hosts if is_host(host.lower())))
    if not principals:
        raise BadCredential("a certificate has neither a URI nor a DNS name")
    return principals
