"""`serve --check-config` says everything that would keep the server from starting, and changes nothing."""

import os
import shutil
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.storage.sqlite.opening import open_store
from support.access import Access
from support.calls import Calls
from support.checked_config import CAN_START, Checked
from support.processes import run
from support.runner.sizes import members
from support.server_process import COMMAND, ServerProcess, refused_start
from support.subjects import ServiceSubject


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(tmp_path)


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a history, twice: as a store that was closed leaves it, and as a crash does."""
    made = tmp_path_factory.mktemp("histories")
    (made / "closed").mkdir()
    with closing(open_store(made / "closed" / "f.db", create=True)) as store:
        ServiceSubject(store).associate("a", "p")
        shutil.copytree(made / "closed", made / "crashed")
    return made


@pytest.fixture
def database(histories: Path, tmp_path: Path) -> Path:
    """A database with a history, closed."""
    return shutil.copytree(histories / "closed", tmp_path / "data") / "f.db"


def test_settings_with_which_a_server_starts_have_no_problem(access: Access, tmp_path: Path) -> None:
    checked = Checked(tmp_path, "--config", str(access.config), "--database", "new/f.db", "--create")
    assert (checked.problems, checked.warnings) == ([], [])
    assert Checked(tmp_path).problems == []


def test_a_database_with_a_history_has_no_problem(database: Path, tmp_path: Path) -> None:
    assert Checked(tmp_path, "--database", str(database)).problems == []


def test_everything_is_said_at_once_a_line_each(access: Access, tmp_path: Path) -> None:
    access.config.write_text(access.config.read_text() + '\n[[callers]]\nprincipal = "sub:x"\nrole = "boss"\n')
    (tmp_path / "jwks.json").write_text("{}")
    (tmp_path / "ca.pem").write_text("junk")
    (tmp_path / "key").write_text("short")
    (tmp_path / "policy.toml").write_text("[[rules]]\na = 1\n[[rules]]\nb = 1\n")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        checked = Checked(
            tmp_path,
            *("--config", str(access.config), "--listen", f"127.0.0.1:{port}", "--workers", "0"),
            *("--verification-key", "key", "--policy", "policy.toml", "--database", "none/f.db"),
            *("--mail-server", "mail.test:25", "--drain-period", "fortnight"),
            FROSTGATE_RETENTION="99d",
        )
    beginnings = [
        "workers (from --workers) must be a number from 1 to 64",
        "drain_period (from --drain-period) must be a whole number",
        "mail_server needs mail_sender",
        "policy file policy.toml: rule 1: ",
        "policy file policy.toml: rule 2: ",
        f"client_ca ({tmp_path}/ca.pem) cannot be used: ",
        f"token_keys ({tmp_path}/jwks.json) cannot be used: is not a JWKS",
        f"database {tmp_path}/none/f.db does not exist",
        "verification key key must have at least 32 bytes",
        f"cannot listen on 127.0.0.1:{port}: Address already in use",
    ]
    for beginning in beginnings:
        assert [one for one in checked.problems if one.startswith(beginning)], (beginning, checked.problems)
    assert not [one for one in checked.problems if not one.startswith(tuple(beginnings))]
    assert [warning.partition(" is not a setting")[0] for warning in checked.warnings[:1]] == [
        "environment variable FROSTGATE_RETENTION"
    ]
    assert checked.warnings[1].startswith(f"{access.config}: ignored callers 13: role must be one of")


def test_a_problem_with_one_setting_hides_no_other_one(tmp_path: Path) -> None:
    checked = Checked(tmp_path, "--listen", "nowhere", "--mtls-listen", "localhost:0", "--database", "none.db")
    assert [problem.partition(" ")[0] for problem in checked.problems] == [
        "listen",
        "mtls_listen",
        "mtls_listen",
        "mtls_listen",
        "database",
    ]
    checked = Checked(tmp_path, "--database", "", "--tls-key", "k")
    assert [problem.partition(" ")[0] for problem in checked.problems] == ["database", "tls_key"]


def test_a_file_that_cannot_be_read_is_one_problem_and_what_it_might_say_is_none(tmp_path: Path) -> None:
    (tmp_path / "frostgate.toml").write_text("listen = ")
    checked = Checked(tmp_path, "--config", "frostgate.toml", "--workers", "0")
    assert [problem[:18] for problem in checked.problems] == ["configuration file", "workers (from --wo"]


def broken_header(database: Path) -> None:
    database.write_bytes(b"x" * 8192)


def another_application(database: Path) -> None:
    database.write_bytes(b"")


def cut_short(database: Path) -> None:
    content = database.read_bytes()
    database.write_bytes(content[: len(content) // 2])


def without_head_file(database: Path) -> None:
    database.with_name("f.db-head").unlink()


def without_database(database: Path) -> None:
    database.unlink()


def in_a_file(database: Path) -> None:
    shutil.rmtree(database.parent)
    database.parent.write_text("")


def two_names(database: Path) -> None:
    os.link(database, database.with_name("other.db"))


def as_directory(database: Path) -> None:
    database.unlink()
    database.mkdir()


def broken_head_file(database: Path) -> None:
    database.with_name("f.db-head").write_bytes(b"x" * 1024)


@pytest.mark.parametrize(
    "spoil",
    members(
        [
            *(broken_header, another_application, cut_short, without_head_file, without_database, in_a_file, two_names),
            *(as_directory, broken_head_file),
        ],
        short=[cut_short, without_head_file, two_names],
    ),
)
def test_a_database_that_cannot_be_opened_is_a_problem_as_at_the_start(
    spoil: Callable[[Path], None], database: Path, tmp_path: Path
) -> None:
    spoil(database)
    checked = Checked(tmp_path, "--database", str(database), "--create")
    assert len(checked.problems) == 1, checked.problems
    assert refused_start("serve", "--listen", "127.0.0.1:0", "--database", str(database), "--create")


def test_a_database_that_was_not_closed_is_read_with_its_log_and_not_changed(histories: Path, tmp_path: Path) -> None:
    database = shutil.copytree(histories / "crashed", tmp_path / "data") / "f.db"
    assert database.with_name("f.db-wal").stat().st_size > 0
    assert Checked(tmp_path, "--database", str(database)).problems == []
    database.with_name("f.db-wal").unlink()
    (problem,) = Checked(tmp_path, "--database", str(database)).problems
    assert "lost its last changes" in problem


def test_a_server_on_the_same_database_is_a_warning_and_so_is_its_address(
    server: ServerProcess, tmp_path: Path
) -> None:
    calls, database = Calls(server), server.log.with_suffix("")
    checked = run(*COMMAND, "serve", "--check-config", "--listen", server.address, "--database", str(database))
    assert (checked.returncode, checked.stdout) == (0, CAN_START)
    in_use, address = checked.stderr.splitlines()
    assert in_use == f"frostgate-server: warning: database {database} is in use: stop its server before the start"
    told = f"cannot listen on {server.address}: Address already in use by process"
    assert address.startswith(f"frostgate-server: warning: {told}")
    assert calls.new_customer()
    (tmp_path / "other").mkdir()
    other = Checked(tmp_path / "other", "--listen", server.address, "--database", "new.db", "--create")
    (problem,) = other.problems
    assert problem.startswith(told)


ADDRESSES: dict[str, tuple[list[str], str]] = {
    "a socket in no directory": (["--listen", "unix:none/s"], "cannot listen on unix:none/s: directory none must"),
    "a socket in the place of a file": (["--listen", "unix:file"], "cannot listen on unix:file: file exists"),
    "a host that is not known": (["--listen", "a.invalid:1", "--insecure"], "cannot listen on a.invalid:1: "),
    "an address of another machine": (["--listen", "192.0.2.1:1", "--insecure"], "cannot listen on 192.0.2.1:1: "),
}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_an_address_where_a_server_cannot_listen_is_a_problem(kind: str, tmp_path: Path) -> None:
    flags, said = ADDRESSES[kind]
    (tmp_path / "file").write_text("")
    (problem,) = Checked(tmp_path, *flags).problems
    assert problem.startswith(said)


def test_two_equal_addresses_are_a_problem(access: Access, tmp_path: Path) -> None:
    for address in ("127.0.0.1:47114", f"unix:{tmp_path}/s"):
        flags = ["--config", str(access.config), "--listen", address, "--mtls-listen", address, "--workers", "1"]
        checked = Checked(tmp_path, *flags)
        assert set(checked.problems) == {f"cannot listen on {address} twice: listen and mtls_listen must differ"}


def test_a_socket_on_which_another_process_listens_is_a_problem(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{tmp_path}/s")
        other.listen()
        flags = ["--listen", f"unix:{tmp_path}/s", "--database", "new.db", "--create"]
        done = run(*COMMAND, "serve", "--check-config", *flags, cwd=tmp_path)
    assert done.stderr == f"frostgate-server: cannot listen on unix:{tmp_path}/s: Address already in use\n"


def test_what_does_not_keep_a_server_from_starting_is_a_warning(tmp_path: Path) -> None:
    checked = Checked(tmp_path, "--head-export", "none/heads.jsonl", "--backup-directory", "backups")
    assert checked.problems == []
    assert checked.warnings == [
        "the head cannot be exported to none/heads.jsonl: its directory cannot be written to",
        "backups cannot be made in backups: it is not a directory that this user can read and write",
    ]


def test_a_check_and_a_print_exclude_each_other(tmp_path: Path) -> None:
    done = run(*COMMAND, "serve", "--check-config", "--print-config", cwd=tmp_path)
    assert done.returncode == 2
