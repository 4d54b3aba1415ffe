"""The server's settings. They are read once, by `loading`, and do not change.

Every setting is one field of Settings: its default, its kind and its documentation. Its flag, its environment variable
and its key in the file follow from the field's name: `check_threads` is `--check-threads`, `FROSTGATE_CHECK_THREADS`
and `check_threads = …`.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from frostgate_server.domain.enums import Decision

from .definition import Setting, setting, settings_of
from .kinds import (
    Address,
    Choice,
    Choices,
    Duration,
    EmailAddress,
    FilePath,
    MemberChoice,
    Number,
    Optional,
    OutputFile,
    Switch,
    Text,
)

DEFAULT_DATABASE = Path("data/frostgate.db")
MOST_WORKERS = 64
LOG_MAIL = "log"
"""The mail_server that writes mails to the log."""

TOKEN_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Asymmetric ones only: a server that verifies tokens holds no key that signs them."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force. `doc` of each field is its documentation."""

    listen: str = setting(
        "127.0.0.1:50051",
        Address(unix=True),
        "The address to listen on: HOST:PORT ([HOST]:PORT for IPv6; port 0 takes a free one) or unix:/path. "
        "A host that is not loopback needs callers, or --insecure. Empty: listen at --mtls-listen only.",
    )
    insecure: bool = setting(
        False,
        Switch(),
        "Serve without callers on addresses that are not loopback too: everyone who reaches the port can freeze every "
        "customer.",
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
        "A second address, as --listen, where callers must show a client certificate. Empty: none.",
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
        "The iss that bearer tokens must have. Tokens are accepted at --listen, with TLS. Empty: no tokens.",
    )
    token_audience: str = setting("", Text(), "The aud that bearer tokens must contain.")
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
    database: Path = setting(
        DEFAULT_DATABASE,
        FilePath(),
        "The SQLite file. Its -wal, -shm, -head, -lock and -key files are beside it.",
    )
    create: bool = setting(
        False,
        Switch(),
        "Make the database if it does not exist. Without this, only the default database is made.",
    )
    policy: Path | None = setting(
        None,
        Optional(FilePath()),
        "A TOML file with decisions for cells on which the source is silent, or stricter ones. Empty: none.",
    )
    retention_period: timedelta = setting(
        timedelta(days=15),
        Duration(most=timedelta(days=3650)),
        "The time for which data is retained once resources are frozen, for freezes from now on: such as 15d or 36h.",
    )
    unknown_customer: Decision = setting(
        Decision.DENY,
        MemberChoice(Decision.DENY, Decision.ALLOW),
        "The answer to a check for a customer that is associated with no partner: deny or allow.",
    )
    workers: int | None = setting(
        None,
        Optional(Number(1, MOST_WORKERS), none="auto"),
        "Worker processes that share port and database, 1 to 64. auto: one for each core that the server may use; one "
        "on a unix socket.",
    )
    worker_patience: timedelta = setting(
        timedelta(seconds=10),
        Duration(least=timedelta(seconds=1), most=timedelta(hours=1)),
        "The time without a heartbeat after which a worker is replaced: 1s to 1h.",
    )
    check_threads: int = setting(
        2,
        Number(1, 64),
        "Threads of each worker for single checks, 1 to 64. More than two bring no gain: they share one "
        "interpreter lock.",
    )
    drain_period: timedelta = setting(
        timedelta(seconds=10),
        Duration(most=timedelta(hours=1)),
        "The time that calls in progress have to end after SIGTERM or SIGINT: such as 10s. A second signal ends them "
        "at once.",
    )
    head_export: str = setting(
        "",
        OutputFile(),
        "The target of exported heads of the history, for frostgate-server verify: a file that lines are appended to, "
        "or - for stdout. Empty: no export.",
    )
    head_export_period: timedelta = setting(
        timedelta(hours=1),
        Duration(least=timedelta(seconds=1), most=timedelta(days=1)),
        "The period of the export, such as 10m or 1h. The head is also exported at the start and at the end.",
    )
    verification_key: Path | None = setting(
        None,
        Optional(FilePath()),
        "A file of at least 32 secret bytes, the key for the digests of verification codes. Empty: a -key file beside "
        "the database, which is made if it does not exist.",
    )
    code_lifetime: timedelta = setting(
        timedelta(minutes=5),
        Duration(least=timedelta(seconds=1), most=timedelta(hours=1)),
        "The time for which a verification code is valid: 1s to 1h.",
    )
    code_tries: int = setting(
        5, Number(1, 100), "The number of tries of a verification code, 1 to 100. After that many it is invalid."
    )
    code_failures: int = setting(
        10,
        Number(1, 100),
        "The number of tries of verification codes of a partner that may fail in an hour, 1 to 100.",
    )
    code_sendings: int = setting(
        5, Number(1, 100), "The number of verification codes that are sent to a partner in an hour, 1 to 100."
    )
    mail_server: str = setting(
        "",
        Address(least_port=1, word=LOG_MAIL),
        "The SMTP server for verification codes, HOST:PORT. For development, on loopback only: log, which writes mails "
        "to the log. Empty: no partner can enable codes.",
    )
    mail_security: str = setting(
        "starttls",
        Choice("starttls", "tls", "none"),
        "The encryption of the connection to the mail server: starttls, tls (from the first byte), or none (a server "
        "on loopback only).",
    )
    mail_sender: str = setting("", EmailAddress(), "The sender address of verification codes.")
    mail_user: str = setting("", Text(), "The user name at the mail server. Empty: no login.")
    mail_password_file: Path | None = setting(
        None,
        Optional(FilePath()),
        "A file with the password of --mail-user. It is read for each mail.",
    )
    mail_ca: Path | None = setting(
        None,
        Optional(FilePath()),
        "The authorities for the mail server's certificate: a PEM file. Empty: those of the system.",
    )
    log_level: str = setting(
        "info",
        Choice("debug", "info", "warning", "error"),
        "The level of the log on stderr: debug (every single check), info, warning or error.",
    )


def all_settings() -> list[Setting]:
    """Every setting, in the order of the documentation."""
    return settings_of(Settings)
