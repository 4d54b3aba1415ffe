"""Where the server listens: looked at and reserved before any worker listens there.

Workers share a port by SO_REUSEPORT, which lets any process of this user join them, silently. So the supervisor
reserves the port in a way that only its own workers know of.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import StartupError
from .setting_values import is_loopback, is_unix
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Reservation:
    """An address that this server alone may listen on, with the port that was really taken.

    `descriptors` keep it; a process that inherits them keeps it too.
    """

    address: str
    descriptors: tuple[int, ...]


def ensure_private(settings: Settings) -> None:
    """Raises StartupError if others could reach the server, and nobody said that they may."""
    if not settings.insecure and not is_loopback(settings.listen):
        raise StartupError(
            f"others can reach {settings.listen}, and there is no TLS: listen on 127.0.0.1, or pass --insecure"
        )


@contextmanager
def reserved(listen: str) -> Iterator[Reservation]:
    """Reserves an address for as long as the block lasts. Raises StartupError if another process listens there."""
    if is_unix(listen):
        _ensure_nobody_answers(listen)
        yield Reservation(listen, ())
        return
    try:
        reservation = _reserve(listen)
    except (OSError, UnicodeError) as error:
        raise StartupError(f"cannot listen on {listen}: {getattr(error, 'strerror', error)}") from error
    with reservation:
        host, port = listen.rpartition(":")[0], reservation.getsockname()[1]
        yield Reservation(f"{host}:{port}", (reservation.fileno(),))


def _reserve(listen: str) -> socket.socket:
    """A socket that is bound, listens to nobody, and lets only those bind beside it that set SO_REUSEPORT.

    Whether anybody else is there is decided by listening without SO_REUSEPORT, which one process alone can do. Only
    then is the option set, so that the reservation can be bound before the first socket is let go.
    """
    host, _, port = listen.rpartition(":")
    family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(address)
        alone.listen()
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation = socket.socket(family, kind, protocol)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind(alone.getsockname())
        return reservation


def _ensure_nobody_answers(listen: str) -> None:
    """A unix socket that nobody listens on is left over, and is replaced."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(listen.removeprefix("unix:"))
        except (FileNotFoundError, ConnectionRefusedError):
            return
        except OSError as error:
            raise StartupError(f"cannot listen on {listen}: {error.strerror or error}") from error
    raise StartupError(f"cannot listen on {listen}: another process does")
