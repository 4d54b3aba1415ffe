"""Settings: addresses, and the authentication of callers."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from .definition import setting
from .kinds import Address, Choice, Choices, Duration, FilePath, Optional, Switch, Text

TOKEN_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Asymmetric algorithms only: the server has no key that signs tokens."""


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """The first settings, in the order of the documentation."""

    listen: str = setting(
        "127.0.0.1:50051",
        Address(unix=True),
        "The address to listen on: HOST:PORT ([HOST]:PORT for IPv6; port 0 takes a free one) or unix:/path. "
        "A host that is not loopback requires [[callers]] in the file of --config, or --insecure. Empty: listen at "
        "--mtls-listen only.",
    )
    insecure: bool = setting(
        False,
        Switch(),
        "Serve without [[callers]], and so without authentication, also on addresses that are not loopback. Then every "
        "client that reaches the port can freeze every customer.",
    )
    tls_certificate: Path | None = setting(
        None,
        Optional(FilePath()),
        "The server's certificate and its intermediate certificates: a PEM file. With it and --tls-key, callers "
        "connect by TLS. A replaced file is used for new connections.",
    )
    tls_key: Path | None = setting(
        None,
        Optional(FilePath()),
        "The key of --tls-certificate: a PEM file, not encrypted.",
    )
    mtls_listen: str = setting(
        "",
        Address(unix=True),
        "A second address, in the form of --listen. Callers at this address must show a client certificate. Empty: "
        "none.",
    )
    client_ca: Path | None = setting(
        None,
        Optional(FilePath()),
        "The authorities that client certificates must be issued by: a PEM file. A replaced file is used for new "
        "connections.",
    )
    token_issuer: str = setting(
        "",
        Text(),
        "The issuer that bearer tokens must have in iss. Tokens are accepted at --listen, with TLS. Empty: no tokens.",
    )
    token_audience: str = setting("", Text(), "The audience that bearer tokens must contain in aud.")
    token_keys: Path | None = setting(
        None,
        Optional(FilePath()),
        "The public keys of the issuer: a JWKS file. A replaced file is used within seconds.",
    )
    token_algorithms: tuple[str, ...] = setting(
        ("RS256", "ES256", "EdDSA"),
        Choices(*TOKEN_ALGORITHMS),
        "The algorithms that tokens may be signed with, separated by commas: RS, PS or ES with 256, 384 or 512, or "
        "EdDSA.",
    )
    token_leeway: timedelta = setting(
        timedelta(seconds=30),
        Duration(most=timedelta(seconds=60)),
        "The accepted difference between the clocks of issuer and server: at most 60s.",
    )
    reflection: str = setting(
        "callers",
        Choice("anyone", "callers", "off"),
        "The callers that may use server reflection: anyone, callers (those with a role; everyone if no callers are "
        "configured) or off.",
    )
