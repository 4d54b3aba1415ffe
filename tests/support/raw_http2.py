"""HTTP/2 by hand: sends frames that no gRPC library sends, as fast as a socket takes them."""

import select
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from threading import Lock
from types import TracebackType
from typing import NamedTuple, Self

from support.processes import PATIENCE

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4

INITIAL_WINDOW_SIZE = 4
"""The setting with the window of each stream."""

LARGEST_FRAME = 16384

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD_SIZE = 9

_WIDEST = 2**31 - 1 - 65535
"""The most by which the window of a connection can grow at first, so that only the windows of streams limit it."""


class Frame(NamedTuple):
    """A frame that was received."""

    kind: int
    flags: int
    stream: int
    payload: bytes


class RawConnection:
    """A connection on which every frame is written by hand. The end of the `with` block closes it.

    One thread may send while another one receives: with TLS they take turns, since an SSL object is not thread-safe.
    """

    def __init__(self, address: str, tls: ssl.SSLContext | None, *, source: str = "127.0.0.1") -> None:
        """Connects. Sends nothing yet except the TLS handshake."""
        host, port = address.rsplit(":", 1)
        opened = socket.create_connection((host, int(port)), PATIENCE, (source, 0))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(opened, server_hostname=host) if tls else opened
        self._received = bytearray()
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def begin(self, settings: Mapping[int, int] | None = None) -> None:
        """Sends the preface, and waits until both sides have acknowledged the settings."""
        payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in (settings or {}).items())
        self.send(_PREFACE, frame(SETTINGS, 0, 0, payload), frame(WINDOW_UPDATE, 0, 0, _WIDEST.to_bytes(4, "big")))
        for received in self.frames():
            if received.kind == SETTINGS and received.flags & ACK:
                return
        raise ConnectionError("the server has ended the connection")

    def send(self, *frames: bytes) -> None:
        """Sends frames."""
        with self._lock:
            self.socket.sendall(b"".join(frames))

    def end(self) -> None:
        """Ends the connection, even if a thread reads from it."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def frames(self) -> Iterator[Frame]:
        """The received frames, until the server ends the connection. Acknowledges its settings and pings."""
        while (received := self._next()) is not None:
            if received.kind in {SETTINGS, PING} and not received.flags & ACK:
                with suppress(OSError):
                    self.send(frame(received.kind, ACK, 0, received.payload if received.kind == PING else b""))
            yield received

    def frames_until(self, count: int, wanted: Callable[[Frame], bool]) -> list[Frame]:
        """Reads this number of wanted frames, or fewer if the server ends the connection."""
        return list(islice(filter(wanted, self.frames()), count))

    def wait_for_end(self) -> Frame | None:
        """Waits until the server ends the connection, and returns its last frame."""
        last = None
        for received in self.frames():
            last = received
        return last

    def _next(self) -> Frame | None:
        if not self._fill(_HEAD_SIZE):
            return None
        size = int.from_bytes(self._received[:3], "big")
        if not self._fill(_HEAD_SIZE + size):
            return None
        head, payload = self._received[:_HEAD_SIZE], bytes(self._received[_HEAD_SIZE : _HEAD_SIZE + size])
        del self._received[: _HEAD_SIZE + size]
        return Frame(head[3], head[4], int.from_bytes(head[5:], "big"), payload)

    def _fill(self, size: int) -> bool:
        while len(self._received) < size:
            try:
                received = self._receive()
            except OSError:
                return False
            if not received:
                return False
            self._received += received
        return True

    def _receive(self) -> bytes:
        decrypted = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        if not decrypted and not select.select([self.socket], [], [], PATIENCE)[0]:
            raise TimeoutError
        with self._lock:
            return self.socket.recv(65536)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """The bytes of a frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def header_block(path: str, metadata: Sequence[tuple[str, str]] = (), scheme: str = "http") -> bytes:
    """The headers of a gRPC call as HPACK literals, so that all calls may share them."""
    headers = [
        *((":method", "POST"), (":scheme", scheme), (":path", path), (":authority", "frostgate")),
        *(("te", "trailers"), ("content-type", "application/grpc"), ("grpc-encoding", "gzip"), *metadata),
    ]
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in headers)


def message(stream: int, serialized: bytes, *, compressed: bool = False, last: bool = True) -> bytes:
    """The frames of a message."""
    data = bytes((compressed,)) + len(serialized).to_bytes(4, "big") + serialized
    pieces = [data[at : at + LARGEST_FRAME] for at in range(0, len(data), LARGEST_FRAME)]
    return b"".join(frame(DATA, END_STREAM if last and piece is pieces[-1] else 0, stream, piece) for piece in pieces)


def _text(text: str) -> bytes:
    """An HPACK string without Huffman coding."""
    size, encoded = len(text), text.encode()
    if size < 0x7F:
        return bytes((size,)) + encoded
    rest, sizes = size - 0x7F, bytearray(b"\x7f")
    while rest >= 0x80:
        sizes.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes(sizes) + bytes((rest,)) + encoded
