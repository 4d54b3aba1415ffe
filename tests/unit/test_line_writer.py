"""Lines are written by a thread: no other thread waits for a reader, and lost lines are counted."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from frostgate_server.observability.line_writer import LineWriter
from support.pipes import Pipe
from support.processes import PATIENCE
from support.worker_processes import eventually

LINE = "x" * 99
"""With its end, 100 bytes."""


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe of 4 KiB."""
    with Pipe() as pipe:
        yield pipe


def writer_of(descriptor: int, most_bytes: int = 1_000_000) -> LineWriter:
    return LineWriter(descriptor, "lines", most_bytes, "{} were lost".format)


def test_lines_are_written_in_order(pipe: Pipe) -> None:
    writer = writer_of(pipe.write_end)
    for line in ("one", "zwei ü", "three\nin two"):
        assert writer.put(line)
    assert writer.flush(PATIENCE)
    assert pipe.read_lines(4) == ["one", "zwei ü", "three", "in two"]
    assert (writer.lost, writer.failure) == (0, None)


@pytest.mark.parametrize("blocking", [True, False])
def test_lines_beyond_the_queue_are_lost_counted_and_told_once_there_is_a_reader(pipe: Pipe, blocking: bool) -> None:
    pipe.fill()
    os.set_blocking(pipe.write_end, blocking)
    writer = writer_of(pipe.write_end, most_bytes=1000)
    assert [writer.put(f"{number:02}{LINE[2:]}") for number in range(15)] == [True] * 10 + [False] * 5
    assert writer.lost == 5
    assert not writer.flush(0.1)
    pipe.empty()
    lines = pipe.read_lines(11)
    assert [line[:2] for line in lines[:10]] == [f"{number:02}" for number in range(10)]
    assert lines[10] == "5 were lost"
    assert writer.flush(PATIENCE)
    assert writer.put("after")
    assert pipe.read_lines(1) == ["after"]


def test_a_line_that_is_larger_than_the_queue_is_lost_and_told_with_the_next(pipe: Pipe) -> None:
    writer = writer_of(pipe.write_end, most_bytes=1000)
    assert not writer.put("x" * 1000)
    assert writer.flush(PATIENCE)
    assert writer.put("next")
    assert pipe.read_lines(2) == ["next", "1 were lost"]


def test_a_large_line_is_written_in_pieces(pipe: Pipe) -> None:
    writer = writer_of(pipe.write_end)
    writer.put("y" * 20_000)
    writer.put("end")
    assert pipe.read_lines(2) == ["y" * 20_000, "end"]


def test_lines_that_cannot_be_written_are_lost() -> None:
    with Path("/dev/full").open("wb") as full:
        writer = writer_of(full.fileno())
        assert writer.put("one")
        assert writer.flush(PATIENCE)
        assert writer.lost == 1
        assert str(writer.failure) == "[Errno 28] No space left on device"


def test_a_failure_is_over_with_the_next_line_that_is_written(pipe: Pipe) -> None:
    with Path("/dev/full").open("wb") as full:
        descriptor = os.dup(full.fileno())
        writer = writer_of(descriptor)
        writer.put("one")
        eventually(lambda: writer.lost == 1, "lost")
        os.dup2(pipe.write_end, descriptor)
    writer.put("two")
    assert pipe.read_lines(2) == ["two", "1 were lost"]
    assert writer.flush(PATIENCE)
    assert writer.failure is None
    os.close(descriptor)
