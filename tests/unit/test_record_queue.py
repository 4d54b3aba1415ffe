"""The queue of records: a bound, blocks of whole lines, items that wait for room, and targets that fail."""

import errno
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic

import pytest
from frostgate_server.observability.record_queue import RecordQueue, WaitingRecords
from frostgate_server.observability.record_targets import FileTarget, RecordTarget, StreamTarget
from frostgate_server.rpc.decision_log.records import describe_lost
from support.processes import PATIENCE
from support.worker_processes import eventually

MIB = 1024**2


class SlowTarget:
    """A target that accepts a block whenever it is allowed to."""

    largest_block = 100

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.failure: OSError | None = None
        self._allowed = threading.Semaphore(0)

    def allow(self, blocks: int) -> None:
        self._allowed.release(blocks)

    def write(self, lines: bytes) -> int:
        if self.failure is not None:
            raise self.failure
        assert self._allowed.acquire(timeout=PATIENCE)
        self.blocks.append(lines)
        return len(lines)

    def rest(self) -> None:
        """Does nothing."""

    def lines(self) -> list[bytes]:
        return b"".join(self.blocks).splitlines()


def line(number: int) -> bytes:
    return b"%09d\n" % number


@contextmanager
def queue_of(target: RecordTarget, most_bytes: int = MIB, last_wait: float = PATIENCE) -> Iterator[RecordQueue]:
    queue = RecordQueue(target, partial(describe_lost, 1), most_bytes)
    yield queue
    queue.close(last_wait)


def test_lines_are_written_in_order_in_blocks_of_whole_lines() -> None:
    target = SlowTarget()
    target.allow(1000)
    with queue_of(target) as queue:
        for number in range(0, 1000, 2):
            assert queue.put(line(number) + line(number + 1))
    assert target.lines() == [line(number).strip() for number in range(1000)]
    assert all(len(block) <= 100 and block.endswith(b"\n") for block in target.blocks)


def test_a_full_queue_refuses_lines_until_some_are_written() -> None:
    target = SlowTarget()
    with queue_of(target, 200) as queue:
        assert [queue.put(line(number)) for number in range(21)] == [True] * 20 + [False]
        target.allow(1)
        eventually(lambda: queue.put(line(21)), "room")
        target.allow(100)


def test_lost_lines_are_counted_and_told_in_the_target_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    target = SlowTarget()
    with queue_of(target, 100) as queue:
        assert queue.put(line(1) * 10)
        assert not queue.put(line(2) * 3)
        queue.lose(line(2) * 3)
        queue.tick()
        assert "3 records of the decision log were lost" in caplog.text
        target.allow(100)
    (told,) = [json.loads(one) for one in target.lines() if b"lost" in one]
    assert (told["lost_records"], told["worker"]) == (3, 1)
    assert queue.lost == 3


def test_items_that_wait_are_queued_in_their_order_or_given_up_in_time() -> None:
    target = SlowTarget()
    done: list[tuple[int, bool]] = []

    def waiting(number: int, seconds: float) -> WaitingRecords:
        return WaitingRecords(line(number), monotonic() + seconds, lambda is_queued: done.append((number, is_queued)))

    with queue_of(target, 100) as queue:
        queue.put(line(0) * 10)
        assert all(queue.put_later(one) for one in (waiting(1, PATIENCE), waiting(2, 0), waiting(3, PATIENCE)))
        assert not queue.put(b"\n"), "a later line must not overtake those that wait"
        queue.tick()
        assert done == [(2, False)]
        target.allow(100)
        eventually(lambda: len(done) == 3, "queued")
        assert done[1:] == [(1, True), (3, True)]
    assert target.lines()[10:] == [line(1).strip(), line(3).strip()]


def test_only_so_much_may_wait_for_room() -> None:
    target = SlowTarget()
    with queue_of(target, 100) as queue:
        queue.put(line(0) * 10)
        item = WaitingRecords(line(1) * 10, monotonic() + PATIENCE, lambda _: None)
        assert queue.put_later(item)
        assert not queue.put_later(item)
        target.allow(100)


def test_a_target_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    target = SlowTarget()
    target.failure = OSError(errno.ENOSPC, "no space")
    with queue_of(target) as queue:
        queue.put(line(1))
        eventually(lambda: "the decision log cannot be written" in caplog.text, "logged")
        target.allow(1)
        target.failure = None
    assert target.lines() == [line(1).strip()]
    assert caplog.text.count("cannot be written: ") == 1
    assert queue.lost == 0


def test_lines_that_cannot_be_written_at_the_end_count_as_lost(caplog: pytest.LogCaptureFixture) -> None:
    target = SlowTarget()
    target.failure = OSError(errno.ENOSPC, "no space")
    with queue_of(target, last_wait=0.1) as queue:
        queue.put(line(1) * 3)
    assert queue.lost == 3
    assert "3 records of the decision log were lost" in caplog.text


def test_a_file_that_was_renamed_or_deleted_is_created_again(tmp_path: Path) -> None:
    file = tmp_path / "log"
    target = FileTarget(file, MIB)
    target.write(line(1))
    file.rename(tmp_path / "log.1")
    target.write(line(2))
    file.unlink()
    target.write(line(3))
    assert ((tmp_path / "log.1").read_bytes(), file.read_bytes()) == (line(1), line(3))


def test_a_block_after_an_incomplete_line_begins_on_a_new_line(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(line(1) + b"torn")
    assert FileTarget(file, MIB).write(line(2)) == len(line(2))
    assert file.read_bytes() == line(1) + b"torn\n" + line(2)


def test_a_file_never_exceeds_its_largest_size(tmp_path: Path) -> None:
    target = FileTarget(tmp_path / "log", 25)
    target.write(line(1) + line(2))
    with pytest.raises(OSError, match="largest size"):
        target.write(line(3))
    (tmp_path / "log").rename(tmp_path / "log.1")
    assert target.write(line(3)) == len(line(3))


def test_only_complete_lines_count_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full in the middle of a line: the line is written again."""
    file = tmp_path / "log"
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:15]))
    targets: list[RecordTarget] = [FileTarget(file, MIB), StreamTarget(os.open(file, os.O_WRONLY | os.O_APPEND))]
    for target in targets:
        file.write_bytes(b"")
        assert target.write(line(1) + line(2)) == len(line(1))
        monkeypatch.setattr(os, "write", write)
        assert target.write(line(2)) == len(line(2))
        assert file.read_bytes().splitlines() == [line(1).strip(), b"00000", line(2).strip()]
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:15]))
