"""The private directory for the sockets of workers: short, closed to others, and gone with the server."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from frostgate_server.config.addresses import MOST_SOCKET_PATH
from frostgate_server.domain.errors import StartupError
from frostgate_server.process.probe_directory import ProbeDirectory, probe_socket
from support.processes import PATIENCE
from support.server_process import ServerProcess, refused_start
from support.worker_lives import both_serve
from support.worker_processes import eventually, serving_workers


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A directory with a short path, for temporary files."""
    made = Path(tempfile.mkdtemp())
    yield made
    shutil.rmtree(made)


def directories(temporary: Path) -> list[Path]:
    return list(temporary.glob("frostgate-*"))


def test_a_server_has_a_private_directory_until_it_ends(tmp_path: Path, temporary: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", variables={"TMPDIR": str(temporary)}) as server:
        (directory,) = directories(temporary)
        assert directory.stat().st_mode & 0o777 == 0o700
        assert server.stop() == 0
        assert directories(temporary) == []


def test_a_server_that_cannot_start_leaves_no_directory(tmp_path: Path, temporary: Path) -> None:
    database = tmp_path / "frostgate.db"
    database.write_bytes(b"no pages at all" * 1000)
    flags = ["--listen", "127.0.0.1:0", "--database", str(database)]
    assert "file is not a database" in refused_start("serve", *flags, variables={"TMPDIR": str(temporary)})
    assert directories(temporary) == []


def test_a_server_that_is_ended_at_once_leaves_no_directory(tmp_path: Path, temporary: Path) -> None:
    flags = ["--shutdown-delay", "1h"]
    with ServerProcess(tmp_path / "frostgate.db", *flags, variables={"TMPDIR": str(temporary)}) as server:
        (worker, *_) = serving_workers(server)
        os.kill(worker, signal.SIGSTOP)  # so that it does not drain
        for line in ("accepts calls", "is draining"):
            server.process.terminate()
            assert line in server.process.next_line()
        server.process.terminate()
        assert server.process.wait(PATIENCE) == -signal.SIGTERM
    assert directories(temporary) == []


def test_the_socket_of_a_worker_that_is_gone_is_removed(tmp_path: Path, temporary: Path) -> None:
    flags = ["--workers", "2"]
    with ServerProcess(tmp_path / "frostgate.db", *flags, variables={"TMPDIR": str(temporary)}) as server:
        (directory,) = directories(temporary)
        victim, survivor = serving_workers(server)
        stale, other = probe_socket(directory, 1, victim), probe_socket(directory, 2, survivor)
        stale.touch()
        other.touch()
        os.kill(victim, signal.SIGKILL)
        eventually(partial(both_serve, server, victim), "replaced")
        eventually(lambda: not stale.exists(), "removed")
        assert other.exists()


def test_a_place_with_a_long_path_or_none_is_passed_over(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 25)
    long.mkdir()
    for place in (long, tmp_path / "missing"):
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        directory = ProbeDirectory(temporary)
        assert len(bytes(probe_socket(directory.path, 64, 4194304))) <= MOST_SOCKET_PATH
        assert directory.path.is_dir()
        directory.remove()
        directory.remove()
    assert list(long.iterdir()) == []


def test_without_any_place_it_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(prefix: str, dir: Path) -> str:  # noqa: A002 - as in tempfile
        raise PermissionError(prefix, dir)

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(StartupError, match="set TMPDIR to a directory with a short path"):
        ProbeDirectory(tmp_path)
