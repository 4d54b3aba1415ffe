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
    """What the server is told. `doc` of each field is its documentation."""

    listen: str = setting(
        "127.0.0.1:50051",
        Address(unix=True),
        "Where to listen: HOST:PORT ([HOST]:PORT for IPv6; port 0 takes a free one) or unix:/path. "
        "A host that is not loopback needs callers, or --insecure. Empty: only at --mtls-listen.",
    )
    insecure: bool = setting(
        False,
        Switch(),
        "Serve without callers on addresses that are not loopback too: whoever reaches the port can freeze every "
        "customer.",
    )
    tls_certificate: Path | None = setting(
        None,
        Optional(FilePath()),
        "The server's certificate, and those between it and the authority's: a PEM file. With it, and --tls-key, "
        "callers connect by TLS; a replaced file is used for new connections.",
    )
    tls_key: Path | None = setting(
        None,
        Optional(FilePath()),
        "The key of --tls-certificate: a PEM file, not encrypted.",
    )
    mtls_listen: str = setting(
        "",
        Address(unix=True),
        "A second address, as --listen, where callers show a client certificate. None if empty.",
    )
    client_ca: Path | None = setting(
        None,
        Optional(FilePath()),
        "The authorities from which client certificates must come: a PEM file. A replaced file is used for new "
        "connections.",
    )
    token_issuer: str = setting(
        "",
        Text(),
        "The iss that bearer tokens must have. Tokens are taken at --listen, if it speaks TLS. No tokens if empty.",
    )
    token_audience: str = setting("", Text(), "The aud that bearer tokens must have, or have among others.")
    token_keys: Path | None = setting(
        None,
        Optional(FilePath()),
        "The public keys of the issuer: a JWKS file. A replaced file is used within seconds.",
    )
    token_algorithms: tuple[str, ...] = setting(
        ("RS256", "ES256", "EdDSA"),
        Choices(*TOKEN_ALGORITHMS),
        "What tokens may be signed by, with commas between: RS, PS or ES with 256, 384 or 512, or EdDSA.",
    )
    token_leeway: timedelta = setting(
        timedelta(seconds=30),
        Duration(most=timedelta(seconds=60)),
        "How far the issuer's clock may be from the server's: at most 60s.",
    )
    reflection: str = setting(
        "callers",
        Choice("anyone", "callers", "off"),
        "Who may ask what services there are: anyone, callers (those with a role, or all if there are none) or off.",
    )
    database: Path = setting(
        DEFAULT_DATABASE,
        FilePath(),
        "The SQLite file. Its -wal, -shm, -head, -lock and -key files are beside it.",
    )
    create: bool = setting(
        False,
        Switch(),
        "Make the database if there is none. Only the default database is made without being asked for.",
    )
    policy: Path | None = setting(
        None,
        Optional(FilePath()),
        "A TOML file with decisions for cells on which the source is silent, or stricter ones. None if empty.",
    )
    retention_period: timedelta = setting(
        timedelta(days=15),
        Duration(most=timedelta(days=3650)),
        "How long data is retained once resources are frozen, for freezes from now on: such as 15d or 36h.",
    )
    unknown_customer: Decision = setting(
        Decision.DENY,
        MemberChoice(Decision.DENY, Decision.ALLOW),
        "What a check for a customer of no partner is answered: deny or allow.",
    )
    workers: int | None = setting(
        None,
        Optional(Number(1, MOST_WORKERS), none="auto"),
        "Worker processes that share port and database, 1 to 64. auto: one for each core that it may use, "
        "or one on a unix socket.",
    )
    worker_patience: timedelta = setting(
        timedelta(seconds=10),
        Duration(least=timedelta(seconds=1), most=timedelta(hours=1)),
        "How long a worker may show no sign of life before it is replaced: 1s to 1h.",
    )
    check_threads: int = setting(
        2,
        Number(1, 64),
        "Threads of each worker for single checks, 1 to 64. More than two share one interpreter lock to no gain.",
    )
    drain_period: timedelta = setting(
        timedelta(seconds=10),
        Duration(most=timedelta(hours=1)),
        "How long calls under way may go on after SIGTERM or SIGINT: such as 10s. A second signal ends them at once.",
    )
    head_export: str = setting(
        "",
        OutputFile(),
        "Where the head of the history is exported to, for frostgate-server verify: a file that lines are appended to, "
        "or - for stdout. Not at all if empty.",
    )
    head_export_period: timedelta = setting(
        timedelta(hours=1),
        Duration(least=timedelta(seconds=1), most=timedelta(days=1)),
        "How often the head is exported, besides at the start and at the end: such as 10m or 1h.",
    )
    verification_key: Path | None = setting(
        None,
        Optional(FilePath()),
        "A file of at least 32 secret bytes, under which verification codes are kept. If empty, a -key file beside the "
        "database, which is made if need be.",
    )
    code_lifetime: timedelta = setting(
        timedelta(minutes=5),
        Duration(least=timedelta(seconds=1), most=timedelta(hours=1)),
        "How long a verification code is good: 1s to 1h.",
    )
    code_tries: int = setting(
        5, Number(1, 100), "How often a verification code may be tried, 1 to 100: then it is good for nothing."
    )
    code_failures: int = setting(
        10,
        Number(1, 100),
        "How many tries of verification codes may fail in an hour, of one partner, 1 to 100.",
    )
    code_sendings: int = setting(
        5, Number(1, 100), "How many verification codes are sent in an hour, to one partner, 1 to 100."
    )
    mail_server: str = setting(
        "",
        Address(least_port=1, word=LOG_MAIL),
        "The SMTP server for verification codes, HOST:PORT. For development, on loopback only: log, which writes mails "
        "to the log. If empty, no partner can enable codes.",
    )
    mail_security: str = setting(
        "starttls",
        Choice("starttls", "tls", "none"),
        "How mail is kept from others on its way to the server: starttls, tls (from the first byte), or none (a server "
        "on loopback only).",
    )
    mail_sender: str = setting("", EmailAddress(), "The address that verification codes come from.")
    mail_user: str = setting("", Text(), "Whom to log in as at the mail server. Nobody if empty.")
    mail_password_file: Path | None = setting(
        None,
        Optional(FilePath()),
        "A file with the password for that, read anew for each mail.",
    )
    mail_ca: Path | None = setting(
        None,
        Optional(FilePath()),
        "A PEM file of authorities that the mail server's certificate may come from. Those of the system if empty.",
    )
    log_level: str = setting(
        "info",
        Choice("debug", "info", "warning", "error"),
        "What goes to the log on stderr: debug (every single check), info, warning or error.",
    )


def all_settings() -> list[Setting]:
    """Every setting, in the order of the documentation."""
    return settings_of(Settings)
