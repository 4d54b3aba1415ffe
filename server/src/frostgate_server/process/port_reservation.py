"""Reserves the addresses of the server before any worker listens there.

Workers share a port with SO_REUSEPORT. This option lets any other process of the same user listen on the port too,
without an error. So the supervisor first ensures that no other process listens, and then keeps the port bound.
"""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from frostgate_server.config.addresses import is_unix
from frostgate_server.domain.errors import StartupError

from .system.address_users import processes_at

DYING_SECONDS = 1.0
"""Seconds that a start waits for the processes of a killed server to release the address."""

STARTING_SECONDS = 10.0
"""The same if no process listens there: a process that was killed during its start may still have the address."""

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class PortReservation:
    """An address that is reserved for this server, with the actual port.

    `listeners` are the resolved addresses, for gRPC. `descriptors` keep them reserved, also in a process that inherits
    them.
    """

    address: str
    listeners: tuple[str, ...]
    descriptors: tuple[int, ...]


@contextmanager
def reserve_port(listen: str) -> Iterator[PortReservation]:
    """Reserves an address during the block. An empty address reserves nothing.

    Waits for the processes of a killed server to end. Raises StartupError if another process listens there.
    """
    if not listen:
        yield PortReservation("", (), ())
        return
    with ExitStack() as held:
        try:
            reservation = _reserved_in_time(listen, held)
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", None) or error
            raise StartupError(f"cannot listen on {listen}: {cause}{_by_whom(listen, error)}") from error
        yield reservation


def _reserved_in_time(listen: str, held: ExitStack) -> PortReservation:
    begin = monotonic()
    while True:
        try:
            return _reserved_path(listen, held) if is_unix(listen) else _reserved_port(listen, held)
        except OSError as error:
            patience = DYING_SECONDS if processes_at(listen) else STARTING_SECONDS
            if error.errno != errno.EADDRINUSE or monotonic() > begin + patience:
                raise
        sleep(_POLL_SECONDS)


def _by_whom(listen: str, error: Exception) -> str:
    """Names the processes that use an address, as far as this user can see them."""
    if getattr(error, "errno", None) != errno.EADDRINUSE:
        return ""
    found = [str(pid) for pid in processes_at(listen)]
    if not found:
        return ""
    users, them = ("process", "it") if len(found) == 1 else ("processes", "them")
    return f" by {users} {', '.join(found)}: stop {them}, or take another address"


def find_port_problems(addresses: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The reasons why these addresses cannot be reserved together now. The bool tells whether the address is in use.

    Changes nothing on disk, and answers no calls.
    """
    with ExitStack() as held:
        for address in filter(None, addresses):
            try:
                if addresses.count(address) > 1 and not address.endswith(":0"):
                    raise StartupError(
                        f"cannot listen on {address} twice: listen and mtls_listen must differ"
                    ) from ValueError()
                if is_unix(address):
                    _ensure_path_is_free(address)
                else:
                    held.enter_context(reserve_port(address))
            except StartupError as error:
                cause = error.__cause__
                yield str(error), cause is None or getattr(cause, "errno", None) == errno.EADDRINUSE


def _ensure_path_is_free(listen: str) -> None:
    """Raises StartupError if the socket cannot be made, or if another process listens there."""
    path = Path(listen.removeprefix("unix:"))
    try:
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, f"directory {path.parent} must exist and be writable for this user")
        if path.exists() and not path.is_socket():
            raise OSError(errno.EEXIST, f"{path} exists, but is not a socket")
        _ensure_nobody_answers(listen)
    except OSError as error:
        raise StartupError(f"cannot listen on {listen}: {error.strerror or error}") from error


def _reserved_port(listen: str, held: ExitStack) -> PortReservation:
    """Reserves every address of the host. A name such as localhost may have several."""
    host, _, text = listen.rpartition(":")
    port = int(text)
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners, descriptors = [], []
    for family, _, _, _, address in found:
        try:
            reservation = held.enter_context(_reserve(family, str(address[0]), port))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL or len(found) == 1:
                raise
            continue
        port = reservation.getsockname()[1]
        listeners.append(f"[{address[0]}]:{port}" if family == socket.AF_INET6 else f"{address[0]}:{port}")
        descriptors.append(reservation.fileno())
    if not listeners:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    return PortReservation(f"{host}:{port}", tuple(listeners), tuple(descriptors))


def _reserve(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """A bound socket that does not listen. Other sockets can bind to its address only with SO_REUSEPORT.

    A first socket listens without SO_REUSEPORT, which fails if another socket uses the address. Then it sets the
    option, so that the reservation can be bound before the first socket is closed.
    """
    if host == "0.0.0.0" and socket.has_dualstack_ipv6():  # noqa: S104 - told to
        # Then gRPC listens on all IPv4 and IPv6 addresses.
        family, host = socket.AF_INET6, "::"
    with _socket(family) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind((host, port))
        alone.listen()
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation = _socket(family)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind(alone.getsockname())
        return reservation


def _socket(family: socket.AddressFamily) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return made


def _reserved_path(listen: str, held: ExitStack) -> PortReservation:
    """Reserves a unix socket with a lock file beside it, because each new worker replaces the socket itself."""
    path = listen.removeprefix("unix:")
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(lock)
        _ensure_nobody_answers(listen)
    except BaseException:
        os.close(lock)
        raise
    held.callback(os.close, lock)
    return PortReservation(listen, (listen,), (lock,))


def _lock(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _address_in_use() from None


def _ensure_nobody_answers(listen: str) -> None:
    """Raises OSError if a process listens on the unix socket. Otherwise a worker replaces the stale socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(listen.removeprefix("unix:"))
        except (FileNotFoundError, ConnectionRefusedError):
            return
    raise _address_in_use()


def _address_in_use() -> OSError:
    return OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
