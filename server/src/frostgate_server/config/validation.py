"""What settings must not be together: a server that nobody could call, or anybody."""

from collections.abc import Iterator

from frostgate_server.domain.errors import StartupError

from .addresses import is_loopback
from .configuration import Configuration
from .settings import Settings


def ensure_sound(configuration: Configuration) -> None:
    """Raises StartupError with the first thing that is wrong, and says what to do about it."""
    for problem in _problems(configuration.settings, has_callers=bool(configuration.callers)):
        raise StartupError(problem)


def _problems(settings: Settings, has_callers: bool) -> Iterator[str]:
    yield from _problems_of_tls(settings)
    yield from _problems_of_tokens(settings)
    yield from _problems_of_callers(settings, has_callers)
    if not settings.insecure and not has_callers:
        yield from _open_to_others(settings)


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


def _open_to_others(settings: Settings) -> Iterator[str]:
    """Without callers everybody is anonymous, and may do all."""
    if settings.listen and not is_loopback(settings.listen):
        lack = "are no callers" if settings.tls_certificate else "is no TLS"
        yield f"others can reach {settings.listen}, and there {lack}: listen on 127.0.0.1, or pass --insecure"
