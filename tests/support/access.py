"""A server with callers, and the callers: each role has its own certificate and token."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from frostgate_server.domain.roles import Role
from support.credentials import AUDIENCE, ISSUER, Authority, Issued, bearer, jwks, signing_key, token
from support.server_process import TWO_WORKERS, Connection, ServerProcess

PARTNERS = ["partner"]


def callers_toml(callers: Mapping[str, Role]) -> str:
    """The tables of callers by principal. Those of the partner center are bound to one partner."""
    return "".join(
        f"\n[[callers]]\nprincipal = {json.dumps(principal)}\nrole = {json.dumps(role)}\n"
        + (f"partners = {json.dumps(PARTNERS)}\n" if role is Role.PARTNER_CENTER else "")
        for principal, role in callers.items()
    )


def every_role() -> dict[str, Role]:
    """A caller of each kind of name for each role."""
    kinds = ("spiffe://test/{}", "dns:{}.test", "sub:{}")
    return {kind.format(role): role for role in Role for kind in kinds}


class Access:
    """The files of a server with both addresses, and the credentials of its callers. Files may be written again."""

    def __init__(self, directory: Path) -> None:
        """Makes all files. The server's certificate and the callers' certificates have different authorities."""
        self.directory = directory
        self.authority = Authority("servers")
        self.callers_authority = Authority("callers")
        self.key = signing_key("one")
        self.write_certificate(self.authority.issue(hosts=["localhost"]))
        (directory / "ca.pem").write_bytes(self.callers_authority.pem)
        (directory / "jwks.json").write_bytes(jwks(one=self.key))
        self.write_callers(every_role())

    def write_certificate(self, issued: Issued) -> None:
        """Writes the server's certificate."""
        issued.write(self.directory, "server")

    def write_callers(self, callers: Mapping[str, Role], more: str = "") -> None:
        """The configuration file."""
        self.config.write_text(
            f'listen = "localhost:0"\nmtls_listen = "localhost:0"\n'
            f'tls_certificate = "{self.directory}/server.pem"\ntls_key = "{self.directory}/server.key"\n'
            f'client_ca = "{self.directory}/ca.pem"\n'
            f'token_issuer = "{ISSUER}"\ntoken_audience = "{AUDIENCE}"\ntoken_keys = "{self.directory}/jwks.json"\n'
            f"{more}{callers_toml(callers)}"
        )

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.directory / "frostgate.toml"

    def token(self, subject: object, **more: Any) -> tuple[tuple[str, str], ...]:
        """The metadata with a valid token; `more` changes its claims."""
        return bearer(token(subject, **{"key": self.key, **more}))

    def certificate(self, **names: Any) -> grpc.ChannelCredentials:
        """The channel credentials of a caller with a certificate for these names."""
        return self.authority.channel(self.callers_authority.issue(**names))

    @contextmanager
    def server(self, *flags: str) -> Iterator[ServerProcess]:
        """Starts a server. Its own connection uses TLS and the address for tokens."""
        database = self.directory / "frostgate.db"
        channel = self.authority.channel()
        flags = ("--listen", "localhost:0", "--config", str(self.config), TWO_WORKERS, *flags)
        with ServerProcess(database, *flags, credentials=channel) as server:
            yield server

    def by_certificate(self, server: ServerProcess, **names: Any) -> Connection:
        """A connection of a caller that has a certificate."""
        return Connection(server.mtls_address, self.certificate(**names))


EXPIRED = -timedelta(minutes=1)
