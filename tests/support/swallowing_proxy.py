"""A TCP proxy that can drop connections silently: it still reads, but forwards nothing any more."""

import socket
from contextlib import suppress
from functools import partial
from threading import Event, Thread
from types import TracebackType
from typing import Self

from support.processes import PATIENCE

_PING = b"\0\0\x08\x06\0\0\0\0\0"
"""The header of an HTTP/2 PING frame that is not an acknowledgement."""


class SwallowingProxy:
    """Forwards connections to a server on 127.0.0.1. The end of the `with` block ends it."""

    def __init__(self, server: str) -> None:
        """Listens on a free port. `address` is its address."""
        self._server = ("127.0.0.1", int(server.rsplit(":", 1)[1]))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._swallowed = Event()
        """Set when the present connections forward nothing any more."""
        self._sockets: list[socket.socket] = []
        self._threads = [Thread(target=self._accept)]
        self.connections = 0
        self.pings = 0
        """Counts the pings of clients. It misses a ping that arrives in pieces."""
        self.left = Event()
        """Set when a client ends a swallowed connection."""

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE)
        for opened in self._sockets:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for opened in [self._listening, *self._sockets]:
            opened.close()

    def swallow(self) -> None:
        """From now on swallows all data of the present connections. Later connections are forwarded."""
        self._swallowed.set()
        self._swallowed = Event()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server, PATIENCE)
                server.settimeout(None)
                self._sockets += [client, server]
                self.connections += 1
                for source, target in ((client, server), (server, client)):
                    pump = partial(self._pump, source, target, self._swallowed, is_client=source is client)
                    thread = Thread(target=pump)
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, swallowed: Event, *, is_client: bool) -> None:
        """Forwards until the source ends. If the connection is swallowed, its end is swallowed too."""
        with suppress(OSError):
            while received := source.recv(65536):
                self.pings += received.count(_PING) if is_client else 0
                if not swallowed.is_set():
                    target.sendall(received)
        if not swallowed.is_set():
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
        elif is_client:
            self.left.set()
