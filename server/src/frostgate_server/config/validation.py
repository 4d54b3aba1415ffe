"""Rules between settings: combinations with which the server cannot work, or is open to other machines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from frostgate_server.domain.errors import StartupError

from .addresses import is_loopback, is_unix
from .configuration import Configuration
from .kinds import Address
from .known_settings import UnreadSetting
from .settings import LOG_MAIL, Settings


def ensure_valid(configuration: Configuration, database_endings: Sequence[str]) -> None:
    """Raises StartupError with the first broken rule. The message says how to correct the settings.

    `database_endings` are the endings of the files beside a database, such as -wal.
    """
    for problem in find_problems(configuration.settings, bool(configuration.callers), database_endings):
        raise StartupError(problem)


def problems_of_addresses(settings: Settings, origins: Mapping[str, str]) -> Iterator[str]:
    """The rule that every command checks when it reads the values."""
    if not settings.listen and not settings.mtls_listen:
        rule = f"{Address(unix=True).rule} if mtls_listen is empty"
        yield f"listen (from {origins['listen']}) {rule}, but is ''"


def find_problems(settings: Settings, has_callers: bool, database_endings: Sequence[str]) -> Iterator[str]:
    """Every broken rule. With KnownSettings, rules on settings that could not be read are skipped."""
    for broken in (
        _problems_of_tls(settings),
        _problems_of_tokens(settings),
        _problems_of_callers(settings, has_callers),
        _problems_of_anonymous_callers(settings, has_callers),
        _problems_of_mail(settings),
        _problems_of_written_files(settings, database_endings),
        _problems_of_backups(settings),
        _problems_of_workers(settings),
    ):
        with suppress(UnreadSetting):
            yield from broken


def _problems_of_tls(settings: Settings) -> Iterator[str]:
    if settings.tls_certificate and not settings.tls_key:
        yield "tls_certificate needs its key: set tls_key"
    if settings.tls_key and not settings.tls_certificate:
        yield "tls_key needs its certificate: set tls_certificate"
    if settings.mtls_listen and not settings.tls_certificate:
        yield "mtls_listen needs a server certificate: set tls_certificate and tls_key"
    if settings.mtls_listen and not settings.client_ca:
        yield "mtls_listen needs the authorities of client certificates: set client_ca"
    if settings.client_ca and not settings.mtls_listen:
        yield "client_ca has no effect without an address for client certificates: set mtls_listen"


def _problems_of_tokens(settings: Settings) -> Iterator[str]:
    given = {
        "token_issuer": settings.token_issuer,
        "token_audience": settings.token_audience,
        "token_keys": settings.token_keys,
    }
    missing = [name for name, value in given.items() if not value]
    if missing and len(missing) < len(given):
        yield f"tokens cannot be verified without {' and '.join(missing)}: set all of {', '.join(given)}, or none"
    if not missing and not settings.listen:
        yield "tokens are accepted only at listen, but listen is empty: set listen, or remove token_issuer"
    if not missing and not settings.tls_certificate:
        yield "tokens are accepted over TLS only: set tls_certificate and tls_key"


def _problems_of_callers(settings: Settings, has_callers: bool) -> Iterator[str]:
    identify = {"mtls_listen": settings.mtls_listen, "token_issuer": settings.token_issuer}
    asked_for = [name for name, value in identify.items() if value]
    if asked_for and not has_callers:
        yield f"{' and '.join(asked_for)} cannot be used without callers: add [[callers]] to the file of --config"
    if has_callers and not asked_for:
        yield "callers cannot identify themselves: set mtls_listen, or token_issuer, token_audience and token_keys"
    if has_callers and settings.listen and not settings.tls_certificate:
        yield (
            f"callers cannot identify themselves on {settings.listen} without TLS: "
            "set tls_certificate and tls_key, or set mtls_listen and an empty listen"
        )


def _problems_of_anonymous_callers(settings: Settings, has_callers: bool) -> Iterator[str]:
    """Without callers every call is anonymous and allowed."""
    if has_callers or settings.insecure:
        return
    if settings.listen and not is_loopback(settings.listen):
        lack = "are no callers" if settings.tls_certificate else "is no TLS"
        yield f"other machines can reach {settings.listen}, but there {lack}: listen on 127.0.0.1, or pass --insecure"


def _problems_of_mail(settings: Settings) -> Iterator[str]:
    if settings.mail_server == LOG_MAIL:
        for address in (settings.listen, settings.mtls_listen):
            if address and not is_loopback(address):
                yield f"other machines can reach {address}: mail_server = log is for loopback only"
    elif settings.mail_server:
        yield from _problems_of_smtp(settings)


def _problems_of_smtp(settings: Settings) -> Iterator[str]:
    if not settings.mail_sender:
        yield "mail_server needs mail_sender: the sender address of codes"
    if bool(settings.mail_user) != bool(settings.mail_password_file):
        yield "mail_user and mail_password_file must be set together"
    if not settings.mail_user.isascii():
        yield f"mail_user must be ASCII, but is {settings.mail_user!r}"
    if settings.mail_security == "none" and not is_loopback(settings.mail_server):
        yield f"others can read mail to {settings.mail_server} with mail_security = none: set starttls"


def _problems_of_written_files(settings: Settings, database_endings: Sequence[str]) -> Iterator[str]:
    """No setting names a file of the database as a file to write, even by a link.

    `verification_key` may name the default key file.
    """
    database = settings.database.resolve()
    own = {ending: database.with_name(database.name + ending) for ending in database_endings}
    if settings.head_export not in {"", "-"}:
        yield from _problems_of_written_file("head_export", Path(settings.head_export), own.values())
    if settings.verification_key is not None:
        others = [file for ending, file in own.items() if ending != "-key"]
        yield from _problems_of_written_file("verification_key", settings.verification_key, others)


def _problems_of_written_file(name: str, path: Path, files: Iterable[Path]) -> Iterator[str]:
    try:
        resolved = path.resolve()
    except RuntimeError:
        yield f"{name} must not be a symbolic link to itself, but is {path}"
        return
    if any(resolved == file or (path.exists() and file.exists() and path.samefile(file)) for file in files):
        yield f"{name} must not be a file of the database itself, but is {path}"


def _problems_of_backups(settings: Settings) -> Iterator[str]:
    """Backups beside the database would be lost with it, and one of them could be served and then deleted."""
    directory = settings.backup_directory
    if directory is None:
        return
    try:
        resolved = directory.resolve()
    except RuntimeError:
        yield f"backup_directory must not be a symbolic link to itself, but is {directory}"
        return
    if resolved == settings.database.resolve().parent:
        yield f"backup_directory must not be the directory of the database, but is {directory}: name another directory"


def _problems_of_workers(settings: Settings) -> Iterator[str]:
    """A unix socket has one listener, so several workers cannot share it."""
    sockets = [address for address in (settings.listen, settings.mtls_listen) if is_unix(address)]
    if sockets and settings.workers not in {None, 1}:
        yield f"{settings.workers} workers cannot share {sockets[0]}: set --workers 1, or listen on a port"
