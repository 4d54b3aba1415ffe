"""The server's settings. They are read once, by `loading`, and do not change.

Every setting is one field of Settings. Its flag, its environment variable and its key in the file follow from the
field's name: `check_threads` is `--check-threads`, `FROSTGATE_CHECK_THREADS` and `check_threads = …`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from frostgate_server.domain.enums import Decision

from . import types

DEFAULT_DATABASE = Path("data/frostgate.db")


def _setting(default: Any, read: Callable[[str], Any], shown: Callable[[Any], str], doc: str) -> Any:
    return field(default=default, metadata={"read": read, "shown": shown, "doc": doc})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server is told. `doc` of each field is its documentation."""

    listen: str = _setting(
        "127.0.0.1:50051",
        types.optional_address,
        str,
        "Where to listen: HOST:PORT ([HOST]:PORT for IPv6; port 0 takes a free one) or unix:/path. "
        "A host that is not loopback needs callers, or --insecure. Empty: only at --mtls-listen.",
    )
    insecure: bool = _setting(
        False,
        types.switch,
        types.shown_switch,
        "Serve without callers on addresses that are not loopback too: whoever reaches the port can freeze every "
        "customer.",
    )
    tls_certificate: Path | None = _setting(
        None,
        types.optional_path,
        types.shown_optional_path,
        "The server's certificate, and those between it and the authority's: a PEM file. With it, and --tls-key, "
        "callers connect by TLS; a replaced file is used for new connections.",
    )
    tls_key: Path | None = _setting(
        None,
        types.optional_path,
        types.shown_optional_path,
        "The key of --tls-certificate: a PEM file, not encrypted.",
    )
    mtls_listen: str = _setting(
        "",
        types.optional_address,
        str,
        "A second address, as --listen, where callers show a client certificate. None if empty.",
    )
    client_ca: Path | None = _setting(
        None,
        types.optional_path,
        types.shown_optional_path,
        "The authorities from which client certificates must come: a PEM file. A replaced file is used for new "
        "connections.",
    )
    token_issuer: str = _setting(
        "",
        str,
        str,
        "The iss that bearer tokens must have. Tokens are taken at --listen, if it speaks TLS. No tokens if empty.",
    )
    token_audience: str = _setting("", str, str, "The aud that bearer tokens must have, or have among others.")
    token_keys: Path | None = _setting(
        None,
        types.optional_path,
        types.shown_optional_path,
        "The public keys of the issuer: a JWKS file. A replaced file is used within seconds.",
    )
    token_algorithms: tuple[str, ...] = _setting(
        ("RS256", "ES256", "EdDSA"),
        types.token_algorithms,
        types.shown_token_algorithms,
        "What tokens may be signed by, with commas between: RS, PS or ES with 256, 384 or 512, or EdDSA.",
    )
    token_leeway: timedelta = _setting(
        timedelta(seconds=30),
        types.token_leeway,
        types.shown_duration,
        "How far the issuer's clock may be from the server's: at most 60s.",
    )
    reflection: str = _setting(
        "callers",
        types.reflection,
        str,
        "Who may ask what services there are: anyone, callers (those with a role, or all if there are none) or off.",
    )
    database: Path = _setting(
        DEFAULT_DATABASE,
        types.path,
        str,
        "The SQLite file. Its -wal, -shm, -head, -lock and -key files are beside it.",
    )
    create: bool = _setting(
        False,
        types.switch,
        types.shown_switch,
        "Make the database if there is none. Only the default database is made without being asked for.",
    )
    policy: Path | None = _setting(
        None,
        types.optional_path,
        types.shown_optional_path,
        "A TOML file with decisions for cells on which the source is silent, or stricter ones. None if empty.",
    )
    retention_period: timedelta = _setting(
        timedelta(days=15),
        types.retention_period,
        types.shown_duration,
        "How long data is retained once resources are frozen, for freezes from now on: such as 15d or 36h.",
    )
    unknown_customer: Decision = _setting(
        Decision.DENY,
        types.decision,
        types.shown_decision,
        "What a check for a customer of no partner is answered: deny or allow.",
    )
    workers: int | None = _setting(
        None,
        types.worker_count,
        types.shown_worker_count,
        "Worker processes that share port and database, 1 to 64. auto: one for each core that it may use, "
        "or one on a unix socket.",
    )
    worker_patience: timedelta = _setting(
        timedelta(seconds=10),
        types.worker_patience,
        types.shown_duration,
        "How long a worker may show no sign of life before it is replaced: 1s to 1h.",
    )
    check_threads: int = _setting(
        2,
        types.thread_count,
        str,
        "Threads of each worker for single checks, 1 to 64. More than two share one interpreter lock to no gain.",
    )
    drain_period: timedelta = _setting(
        timedelta(seconds=10),
        types.drain_period,
        types.shown_duration,
        "How long calls under way may go on after SIGTERM or SIGINT: such as 10s. A second signal ends them at once.",
    )
    head_export: str = _setting(
        "",
        types.export_target,
        str,
        "Where the head of the history is exported to, for frostgate-server verify: a file that lines are appended to, "
        "or - for stdout. Not at all if empty.",
    )
    head_export_period: timedelta = _setting(
        timedelta(hours=1),
        types.export_period,
        types.shown_duration,
        "How often the head is exported, besides at the start and at the end: such as 10m or 1h.",
    )
    verification_key: Path | None = _setting(
        None,
        types.optional_path,
        types.shown_optional_path,
        "A file of at least 32 secret bytes, under which verification codes are kept. If empty, a -key file beside the "
        "database, which is made if need be.",
    )
    code_lifetime: timedelta = _setting(
        timedelta(minutes=5),
        types.code_lifetime,
        types.shown_duration,
        "How long a verification code is good: 1s to 1h.",
    )
    code_tries: int = _setting(
        5, types.code_count, str, "How often a verification code may be tried, 1 to 100: then it is good for nothing."
    )
    code_failures: int = _setting(
        10,
        types.code_count,
        str,
        "How many tries of verification codes may fail in an hour, of one partner, 1 to 100.",
    )
    code_sendings: int = _setting(
        5, types.code_count, str, "How many verification codes are sent in an hour, to one partner, 1 to 100."
    )
    mail_server: str = _setting(
        "",
        types.mail_server,
        str,
        "The SMTP server for verification codes, HOST:PORT. For development, on loopback only: log, which writes mails "
        "to the log. If empty, no partner can enable codes.",
    )
    mail_security: str = _setting(
        "starttls",
        types.mail_security,
        str,
        "How mail is kept from others on its way to the server: starttls, tls (from the first byte), or none (a server "
        "on loopback only).",
    )
    mail_sender: str = _setting("", types.mail_sender, str, "The address that verification codes come from.")
    mail_user: str = _setting("", str, str, "Whom to log in as at the mail server. Nobody if empty.")
    mail_password_file: Path | None = _setting(
        None,
        types.optional_path,
        types.shown_optional_path,
        "A file with the password for that, read anew for each mail.",
    )
    mail_ca: Path | None = _setting(
        None,
        types.optional_path,
        types.shown_optional_path,
        "A PEM file of authorities that the mail server's certificate may come from. Those of the system if empty.",
    )
    log_level: str = _setting(
        "info",
        types.log_level,
        str,
        "What goes to the log on stderr: debug (every single check), info, warning or error.",
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as documentation and command line need it."""

    name: str
    default: str
    doc: str
    is_switch: bool

    @property
    def flag(self) -> str:
        """Its flag on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return "FROSTGATE_" + self.name.upper()


def all_settings() -> list[Setting]:
    """Every setting, in the order of the documentation."""
    return [
        Setting(one.name, one.metadata["shown"](one.default), one.metadata["doc"], isinstance(one.default, bool))
        for one in fields(Settings)
    ]
