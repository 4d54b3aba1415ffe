"""Every rule between settings: combinations with which the server cannot work, or is open to others."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from frostgate_server.domain.errors import StartupError

from .addresses import is_loopback, is_unix
from .configuration import Configuration
from .kinds import Address
from .settings import LOG_MAIL, Settings


def ensure_valid(configuration: Configuration, database_endings: Sequence[str]) -> None:
    """Raises StartupError with the first broken rule, which says how to mend it.

    `database_endings` are those of the files of a database, behind its name.
    """
    for problem in _problems(configuration, database_endings):
        raise StartupError(problem)


def problems_of_addresses(settings: Settings, origins: Mapping[str, str]) -> Iterator[str]:
    """The rule that every command checks, together with the values."""
    if not settings.listen and not settings.mtls_listen:
        rule = f"{Address(unix=True).rule}, where there is no mtls_listen"
        yield f"listen (from {origins['listen']}) {rule}, but is ''"


def _problems(configuration: Configuration, database_endings: Sequence[str]) -> Iterator[str]:
    settings, has_callers = configuration.settings, bool(configuration.callers)
    yield from _problems_of_tls(settings)
    yield from _problems_of_tokens(settings)
    yield from _problems_of_callers(settings, has_callers)
    yield from _problems_of_anonymous_callers(settings, has_callers)
    yield from _problems_of_mail(settings)
    yield from _problems_of_head_export(settings, database_endings)
    yield from _problems_of_workers(settings)


def _problems_of_tls(settings: Settings) -> Iterator[str]:
    if settings.tls_certificate and not settings.tls_key:
        yield "tls_certificate is of no use without its key: set tls_key"
    if settings.tls_key and not settings.tls_certificate:
        yield "tls_key is of no use without its certificate: set tls_certificate"
    if settings.mtls_listen and not settings.tls_certificate:
        yield "mtls_listen needs a certificate of the server's own: set tls_certificate and tls_key"
    if settings.mtls_listen and not settings.client_ca:
        yield "mtls_listen needs the authorities of its callers' certificates: set client_ca"
    if settings.client_ca and not settings.mtls_listen:
        yield "client_ca is of no use where nobody is asked for a certificate: set mtls_listen"


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
        yield "tokens are taken at listen only, which is empty: set listen, or no token_issuer"
    if not missing and not settings.tls_certificate:
        yield "tokens are taken over TLS only: set tls_certificate and tls_key"


def _problems_of_callers(settings: Settings, has_callers: bool) -> Iterator[str]:
    identify = {"mtls_listen": settings.mtls_listen, "token_issuer": settings.token_issuer}
    asked_for = [name for name, value in identify.items() if value]
    if asked_for and not has_callers:
        yield f"{' and '.join(asked_for)} set, but nobody has a role: name [[callers]] in the file of --config"
    if has_callers and not asked_for:
        yield "callers cannot identify themselves: set mtls_listen, or token_issuer, token_audience and token_keys"
    if has_callers and settings.listen and not settings.tls_certificate:
        yield (
            f"callers cannot identify themselves on {settings.listen} without TLS: "
            "set tls_certificate and tls_key, or an empty listen and mtls_listen"
        )


def _problems_of_anonymous_callers(settings: Settings, has_callers: bool) -> Iterator[str]:
    """Without callers everybody is anonymous, and may do all."""
    if has_callers or settings.insecure:
        return
    if settings.listen and not is_loopback(settings.listen):
        lack = "are no callers" if settings.tls_certificate else "is no TLS"
        yield f"others can reach {settings.listen}, and there {lack}: listen on 127.0.0.1, or pass --insecure"


def _problems_of_mail(settings: Settings) -> Iterator[str]:
    if settings.mail_server == LOG_MAIL:
        for address in (settings.listen, settings.mtls_listen):
            if address and not is_loopback(address):
                yield f"others can reach {address}: mail_server = log is for loopback only"
    elif settings.mail_server:
        yield from _problems_of_smtp(settings)


def _problems_of_smtp(settings: Settings) -> Iterator[str]:
    if not settings.mail_sender:
        yield "mail_server needs mail_sender: the address that codes come from"
    if bool(settings.mail_user) != bool(settings.mail_password_file):
        yield "mail_user and mail_password_file need each other: whom to log in as, and with what"
    if not settings.mail_user.isascii():
        yield f"mail_user must be ASCII, but is {settings.mail_user!r}"
    if settings.mail_security == "none" and not is_loopback(settings.mail_server):
        yield f"others can read what is mailed through {settings.mail_server} with mail_security = none: take starttls"


def _problems_of_head_export(settings: Settings, database_endings: Sequence[str]) -> Iterator[str]:
    database = settings.database
    files = {database.resolve().with_name(database.name + ending) for ending in database_endings}
    if Path(settings.head_export).resolve() in files:
        yield f"head_export must not be a file of the database itself, but is {settings.head_export}"


def _problems_of_workers(settings: Settings) -> Iterator[str]:
    """A unix socket has one listener."""
    sockets = [address for address in (settings.listen, settings.mtls_listen) if is_unix(address)]
    if sockets and settings.workers not in {None, 1}:
        yield f"{settings.workers} workers cannot share {sockets[0]}: take --workers 1, or a port"
