"""TLS for the server's addresses. Each handshake uses the certificates that were loaded last."""

from typing import Any

import grpc

from frostgate_server.auth.certificates import ServerCertificate
from frostgate_server.auth.reloadable_file import ReloadableFile


def server_credentials(
    certificate: ReloadableFile[ServerCertificate], authorities: ReloadableFile[bytes] | None
) -> grpc.ServerCredentials:
    """Presents the certificate, and requires client certificates of the authorities, if any are given.

    A handshake reads no file: it uses the last files that were valid. Open connections keep what they started with.
    """
    shown = _material(certificate, authorities)

    def replaced() -> grpc.ServerCertificateConfiguration | None:
        """The new configuration. None if nothing has changed, so that gRPC does not load it again."""
        nonlocal shown
        now = _material(certificate, authorities)
        if now == shown:
            return None
        shown = now
        return _configuration(*now)

    fetcher: Any = replaced
    return grpc.dynamic_ssl_server_credentials(
        _configuration(*shown), fetcher, require_client_authentication=authorities is not None
    )


def _material(
    certificate: ReloadableFile[ServerCertificate], authorities: ReloadableFile[bytes] | None
) -> tuple[ServerCertificate, bytes | None]:
    return certificate.value, authorities.value if authorities else None


def _configuration(certificate: ServerCertificate, authorities: bytes | None) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(certificate.key, certificate.chain)], authorities)
