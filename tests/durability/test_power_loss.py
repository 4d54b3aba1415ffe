"""What was answered OK outlives a loss of power: it is in the bytes that were fsynced, and needs no others.

Killing a process proves nothing of this, for the kernel keeps what the process wrote. So a recorder notes all that the
server does to its files, and they are rebuilt as a loss of power would have left them at any moment.
"""

import random
import shutil
import sys
from bisect import bisect_right
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from durability.random_client import Client, States
from durability.recording import Disk, Kind, lay_out, records
from frostgate_server.domain.customer import FreezeEvent
from frostgate_server.domain.errors import StartupError, StorageUnavailable
from frostgate_server.storage.interface import Store
from frostgate_server.storage.sqlite.files.head_file import HeadFile
from frostgate_server.storage.sqlite.opening import open_store
from support.listings import all_events
from support.processes import output
from support.runner.sizes import size
from support.server_process import ServerProcess

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="the recorder is preloaded as only Linux does it"),
]

RECORDER = Path(__file__).with_name("recorder.c")
DATABASE = "frostgate.db"
WAL = f"{DATABASE}-wal"
HEAD = f"{DATABASE}-head"
THE_DIRECTORY = ""
OFTEN_SYNCED = {WAL, HEAD, f"{DATABASE}-reserve"}
"""The files that are written with almost every change. Of their moments some are tried, and all of the others."""

STEP = size(short=7, long=1)
"""One moment of so many is tried. It has no factor in common with the number of fsyncs of a change."""


LIVES = size(short=2, long=8)
CHANGES_IN_A_LIFE = 150
"""Enough for SQLite to fold its log into the database within a life: it does so every 1,000 pages."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What was answered OK when the trace was this long: the last revision, and the states of all customers."""

    life: int
    trace_length: int
    revision: int
    states: States


NOTHING_YET = Promise(life=0, trace_length=0, revision=0, states={})


@dataclass(frozen=True, slots=True)
class Recording:
    """A trace, the promises given in its course, and the files as they were at the end of it."""

    trace: Path
    promises: list[Promise]
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def recording(tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """All that a server did to its files: it made changes, was killed while it rested, and made more."""
    place = tmp_path_factory.mktemp("recording")
    library, trace, directory = place / "recorder.so", place / "trace", place / "data"
    output(tool("cc"), "-shared", "-fPIC", "-pthread", "-o", library, RECORDER)
    directory.mkdir()
    variables = {"LD_PRELOAD": str(library), "RECORDER_TRACE": str(trace), "RECORDER_DIRECTORY": str(directory)}
    states: States = {}
    promises: list[Promise] = []
    for life in range(LIVES):
        with ServerProcess(directory / DATABASE, variables=variables) as server:
            client = Client(server.freezes, random.Random(life), states)
            for _ in range(CHANGES_IN_A_LIFE):
                revision = client.change()
                promises.append(Promise(life, trace.stat().st_size, revision, dict(states)))
            files = {file.name: file.read_bytes() for file in directory.iterdir()}
            server.kill()
    return Recording(trace, promises, files)


def test_the_recorder_misses_nothing(recording: Recording) -> None:
    disk = Disk(recording.trace)
    disk.advance(recording.promises[-1].trace_length)
    written = disk.written()
    # SQLite maps the -shm file into memory and rebuilds it after a loss. The log was opened by this process. The server
    # writes to the -reserve file all the time.
    unrecorded = {f"{DATABASE}-shm", f"{DATABASE}.log", f"{DATABASE}-reserve"}
    assert written.keys() - unrecorded == recording.files.keys() - unrecorded
    for name in written.keys() - unrecorded:
        assert written[name] == recording.files[name], name


def test_what_was_answered_ok_outlives_a_loss_of_power(recording: Recording, tmp_path: Path) -> None:
    assert len(recording.promises) >= 200
    disk = Disk(recording.trace)
    checkpoints, life = 0, -1
    for number, promise in enumerate(recording.promises):
        done = disk.advance(promise.trace_length)
        checkpoints += promise.life == life and (Kind.WRITTEN, DATABASE) in done
        life = promise.life
        if not is_tried(number, done):
            continue
        lost = what_is_lost(promise, disk.durable(), tmp_path / "rebuilt")
        assert lost == "", f"after {promise.trace_length} bytes of {recording.trace}"
    assert checkpoints > 0, "SQLite never folded its log into the database between two answers"


def test_the_store_opens_whenever_the_power_fails(recording: Recording, tmp_path: Path) -> None:
    disk = Disk(recording.trace)
    promises = [NOTHING_YET, *recording.promises]
    lengths = [promise.trace_length for promise in promises]
    for number, moment in enumerate(moments(recording.trace)):
        if not is_tried(number, disk.advance(moment)):
            continue
        promise = promises[bisect_right(lengths, moment) - 1]
        lost = what_is_lost(promise, disk.durable(), tmp_path / "rebuilt", create=promise is NOTHING_YET)
        assert lost == "", f"after {moment} bytes of {recording.trace}"


@pytest.mark.parametrize("name", [WAL, DATABASE, HEAD, THE_DIRECTORY])
def test_without_the_fsyncs_of_one_file_acknowledged_changes_are_lost(
    recording: Recording, tmp_path: Path, name: str
) -> None:
    disk = Disk(recording.trace, deaf_to=name)
    sample = [promise for promise in recording.promises if promise.life == LIVES - 1][::10]
    lost = 0
    for promise in sample:
        disk.advance(promise.trace_length)
        lost += what_is_lost(promise, disk.durable(), tmp_path / "rebuilt") != ""
    # A change that ended with a checkpoint is in the database, and can do without the log.
    assert lost > len(sample) / 2


def is_tried(number: int, done: list[tuple[Kind, str]]) -> bool:
    """Whether a moment is tried: what was done since the one before decides."""
    return number % STEP == 0 or any(name not in OFTEN_SYNCED for _, name in done)


def moments(trace: Path) -> list[int]:
    """The lengths of a trace at which what is durable may have changed: each is the end of an fsync."""
    return [record.end for record in records(trace) if record.kind is Kind.SYNCED]


def what_is_lost(promise: Promise, files: dict[str, bytes], directory: Path, *, create: bool = False) -> str:
    """What these files do not keep of a promise, once they are opened as the server opens them. Empty: they do."""
    lay_out(files, directory)
    try:
        remembered = remembered_revision(directory / HEAD)
        with closing(open_store(directory / DATABASE, create=create)) as store:
            return what_store_lost(promise, store, remembered)
    except StartupError as error:
        return str(error)
    except StorageUnavailable as error:
        return error.detail
    finally:
        shutil.rmtree(directory)


def remembered_revision(head_file: Path) -> int:
    """The revision in a head file, before the opening of the store brings it up to date."""
    with closing(HeadFile(head_file)) as file:
        return file.head.revision if file.head else 0


def what_store_lost(promise: Promise, store: Store, remembered: int) -> str:
    """What a store does not keep of a promise. Its events must tell the same as its customers."""
    revision = store.get_revision()
    if min(revision, remembered) < promise.revision:
        return f"{promise.revision} was answered, but the store ends at {revision}, its head file at {remembered}"
    events = all_events(store)[::-1]
    if [event.revision for event in events] != list(range(1, revision + 1)):
        return f"events are missing of 1 to {revision}"
    if states_after(events[: promise.revision]) != promise.states:
        return f"the events up to {promise.revision} tell of other states than {promise.states}"
    if store.get_freeze_states([*promise.states])[0] != [states_after(events)[customer] for customer in promise.states]:
        return f"the customers are not in the states that their events tell at {revision}"
    return ""


def states_after(events: list[FreezeEvent]) -> States:
    """The states in which events leave their customers."""
    return {event.customer_id: event.state_after for event in events}
