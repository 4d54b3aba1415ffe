"""The server's settings. `loading` reads them once, and they do not change.

Every setting is one field of Settings: its default, its kind and its documentation. Its flag, its environment variable
and its key in the file are derived from the field's name: `check_threads` is `--check-threads`,
`FROSTGATE_CHECK_THREADS` and `check_threads = …`.

The fields are in three classes, each of which extends the one before. Their order is that of the documentation.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from frostgate_server.domain.enums import Decision

from .addresses import is_loopback
from .definition import Setting, setting, settings_of
from .kinds import (
    Address,
    Choice,
    DirectoryPath,
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
from .limit_settings import LimitSettings

DEFAULT_DATABASE = Path("data/frostgate.db")
MOST_WORKERS = 64
LOG_MAIL = "log"
"""The mail_server that writes mails to the log."""

REMOTE_SHUTDOWN_DELAY = timedelta(seconds=5)
"""The shutdown delay of a server that other machines can reach, if none is set."""


@dataclass(frozen=True, slots=True)
class Settings(LimitSettings):
    """The settings in force. `doc` of each field is its documentation."""

    database: Path = setting(
        DEFAULT_DATABASE,
        FilePath(),
        "The SQLite file. Its -wal, -shm, -head, -lock, -key, -check and -reserve files are beside it.",
    )
    create: bool = setting(
        False,
        Switch(),
        "Create the database if it does not exist. Without this, only the default database is created.",
    )
    record_check_rows: int = setting(
        20_000,
        Number(0, 10_000_000),
        "The rows and index entries that the background check reads in a second, to find damage in the database. 20000 "
        "is enough to check a million customers, with two events each, in ten minutes. 0: no check.",
    )
    policy: Path | None = setting(
        None,
        Optional(FilePath()),
        "A TOML file that sets the cells for which the source states no decision, or makes decisions stricter. Empty: "
        "none.",
    )
    retention_period: timedelta = setting(
        timedelta(days=15),
        Duration(most=timedelta(days=3650)),
        "The time for which data is retained once resources are frozen, such as 15d or 36h. It applies to new freezes.",
    )
    unknown_customer: Decision = setting(
        Decision.DENY,
        MemberChoice(Decision.DENY, Decision.ALLOW),
        "The answer to a check for a customer that is associated with no partner: deny or allow.",
    )
    workers: int | None = setting(
        None,
        Optional(Number(1, MOST_WORKERS), none="auto"),
        "Worker processes that share port and database, 1 to 64. auto: one for each core that the server may use, or "
        "fewer if its control group grants less CPU time; one on a unix socket.",
    )
    worker_patience: timedelta = setting(
        timedelta(seconds=10),
        Duration(least=timedelta(seconds=1), most=timedelta(hours=1)),
        "The time without a heartbeat after which a worker is replaced: 1s to 1h.",
    )
    cpu_affinity: str = setting(
        "auto",
        Choice("auto", "off"),
        "The cores on which workers run. auto: each worker runs on its own core, if there are as many workers as cores "
        "that the server may use. off: the system chooses.",
    )
    check_threads: int = setting(
        2,
        Number(1, 64),
        "Threads of each worker for single checks that its loop does not answer itself, 1 to 64: those with large "
        "requests or new tokens, and those whose read failed. More than two are not faster, because they share one "
        "interpreter lock.",
    )
    drain_period: timedelta = setting(
        timedelta(seconds=10),
        Duration(most=timedelta(hours=1)),
        "The time limit for calls in progress during a drain, such as 10s. A signal during the drain ends them at "
        "once.",
    )
    shutdown_delay: timedelta | None = setting(
        None,
        Optional(Duration(most=timedelta(hours=1)), none="auto"),
        "The time between SIGTERM or SIGINT and the drain. In this time health is NOT_SERVING, so that load "
        "balancers stop sending calls. Calls are still accepted. auto: 0s if only this machine can reach the server, "
        "else 5s. A second signal skips it.",
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
    backup_directory: Path | None = setting(
        None,
        Optional(DirectoryPath()),
        "An existing directory for scheduled backups of this database only, not that of the database. Empty: no "
        "scheduled backups.",
    )
    backup_period: timedelta = setting(
        timedelta(days=1),
        Duration(least=timedelta(seconds=1), most=timedelta(days=365)),
        "The time from one scheduled backup to the next, such as 6h or 1d: 1s to 365d. It is counted from the newest "
        "backup in the directory, also after a restart.",
    )
    backup_keep: int = setting(
        7,
        Number(1, 1000),
        "The number of scheduled backups to keep, 1 to 1000. Older ones are deleted after a new one is verified.",
    )
    verification_key: Path | None = setting(
        None,
        Optional(FilePath()),
        "A file of at least 32 secret bytes, the key for the digests of verification codes. Empty: a -key file beside "
        "the database, which is created if it does not exist.",
    )
    code_lifetime: timedelta = setting(
        timedelta(minutes=5),
        Duration(least=timedelta(seconds=1), most=timedelta(hours=1)),
        "The time for which a verification code is valid: 1s to 1h.",
    )
    code_tries: int = setting(
        5, Number(1, 100), "The number of tries of a verification code, 1 to 100. After the last try it is invalid."
    )
    code_failures: int = setting(
        10,
        Number(1, 100),
        "The number of failed tries of verification codes that a partner may have in an hour, 1 to 100.",
    )
    code_sendings: int = setting(
        5, Number(1, 100), "The number of verification codes that are sent to a partner in an hour, 1 to 100."
    )
    mail_server: str = setting(
        "",
        Address(least_port=1, word=LOG_MAIL),
        "The SMTP server for verification codes, HOST:PORT. The value log is for development, on loopback only: it "
        "writes mails to the log. Empty: no partner can enable codes.",
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
        "The level of the log on stderr: debug (each answered CheckOperation), info, warning or error.",
    )

    @property
    def effective_shutdown_delay(self) -> timedelta:
        """`shutdown_delay`, or for auto the delay that depends on the addresses."""
        if self.shutdown_delay is not None:
            return self.shutdown_delay
        addresses = [address for address in (self.listen, self.mtls_listen) if address]
        return timedelta(0) if all(map(is_loopback, addresses)) else REMOTE_SHUTDOWN_DELAY


def all_settings() -> list[Setting]:
    """Every setting, in the order of the documentation."""
    return settings_of(Settings)
