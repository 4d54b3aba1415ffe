"""Two servers never serve one database, and no setting makes the server write into the database's files."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import pytest
from frostgate_server.config.loading import configure
from frostgate_server.config.validation import ensure_valid
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.sqlite.files.paths import FILE_ENDINGS
from frostgate_server.storage.sqlite.opening import lock_database, open_store
from support.calls import Calls
from support.commands_here import refused_here
from support.server_process import ServerProcess, refused_start
from support.subjects import ServiceSubject

Link = Callable[[Path, Path], None]


def by_symbolic_link(name: Path, target: Path) -> None:
    name.symlink_to(target)


def by_hard_link(name: Path, target: Path) -> None:
    name.hardlink_to(target)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, ServerProcess]]:
    """A database, and the server that serves it."""
    database = tmp_path_factory.mktemp("served") / "frostgate.db"
    with ServerProcess(database) as server:
        yield database, server


@contextmanager
def lock_file_removed(database: Path) -> Iterator[None]:
    """Takes the lock file from its name, and puts it back."""
    lock = Path(f"{database}-lock")
    removed = lock.rename(f"{database}-removed-lock")
    yield
    removed.replace(lock)


@pytest.mark.parametrize("command", ["serve", "recover", "disable-codes"])
def test_a_second_server_is_refused_although_the_lock_file_was_removed(
    served: tuple[Path, ServerProcess], command: str
) -> None:
    database, server = served
    with lock_file_removed(database):
        flags = {"serve": ["--listen", "127.0.0.1:0"], "disable-codes": ["--partner", "p"]}.get(command, [])
        refused = refused_start if command == "serve" else refused_here
        line = refused(command, "--database", str(database), *flags)
        assert "is in use by a server whose -lock file was removed: stop it, or take another --database" in line
        assert Calls(server).new_customer()


@pytest.mark.parametrize("name", ["link.db", "elsewhere/link.db"])
def test_a_second_server_is_refused_by_whichever_name(
    served: tuple[Path, ServerProcess], tmp_path: Path, name: str
) -> None:
    (database, server), link = served, tmp_path / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(database)
    for removed in (False, True):
        with lock_file_removed(database) if removed else nullcontext():
            line = refused_start("serve", "--listen", "127.0.0.1:0", "--database", str(link))
            assert f"database {database} is in use by" in line
            assert Calls(server).new_customer()


def test_a_claim_of_the_head_file_does_not_stop_changes(path: Path) -> None:
    claim = lock_database(path, create=False)
    with closing(open_store(path, create=False)) as store:
        assert ServiceSubject(store).associate("d", "p") == 4
        Path(f"{path}-lock").unlink()
        with pytest.raises(StartupError, match="whose -lock file was removed"):
            lock_database(path, create=False)
        assert ServiceSubject(store).associate("e", "p") == 5
    claim.close()
    lock_database(path, create=False).close()


def test_a_refused_claim_leaves_no_lock_behind(path: Path) -> None:
    claim = lock_database(path, create=False)
    Path(f"{path}-lock").unlink()
    for _ in range(2):
        with pytest.raises(StartupError, match="whose -lock file was removed"):
            lock_database(path, create=False)
    claim.close()
    lock_database(path, create=False).close()
    assert Path(f"{path}-lock").read_text() == f"{os.getpid()}\n"


def problem_of(database: Path, setting: str, value: Path) -> str:
    """What is said of the settings; nothing if they are sound."""
    try:
        ensure_valid(configure({"database": str(database), setting: str(value)}, {}, None), FILE_ENDINGS)
    except StartupError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("link", [by_symbolic_link, by_hard_link])
@pytest.mark.parametrize("ending", FILE_ENDINGS)
@pytest.mark.parametrize("setting", ["head_export", "verification_key"])
def test_no_written_file_is_one_of_the_database_by_another_name(
    path: Path, tmp_path: Path, setting: str, ending: str, link: Link
) -> None:
    """The key file alone may be named as the key file."""
    own, name, database = Path(f"{path}{ending}"), tmp_path / "other-name", tmp_path / "link" / "database"
    own.touch()
    link(name, own)
    database.parent.mkdir()
    database.symlink_to(path)
    expected = f"{setting} must not be a file of the database itself, but is {name}"
    if (setting, ending) == ("verification_key", "-key"):
        expected = ""
    for by_any_name in (path, database):
        assert problem_of(by_any_name, setting, name) == expected
        assert problem_of(by_any_name, setting, tmp_path / "another") == ""


def test_a_server_does_not_start_with_its_head_file_as_the_target_of_the_export(path: Path, tmp_path: Path) -> None:
    head_file, link, name = Path(f"{path}-head"), tmp_path / "link.db", tmp_path / "heads.jsonl"
    link.symlink_to(path)
    name.hardlink_to(head_file)
    before = head_file.read_bytes()
    line = refused_start("serve", "--database", str(link), "--head-export", str(name))
    assert line == f"head_export must not be a file of the database itself, but is {name}"
    assert head_file.read_bytes() == before


def test_a_key_is_not_made_under_the_name_of_a_file_that_is_yet_to_be_made(path: Path) -> None:
    assert not Path(f"{path}-wal").exists()
    said = problem_of(path, "verification_key", Path(f"{path}-wal"))
    assert said == f"verification_key must not be a file of the database itself, but is {path}-wal"
