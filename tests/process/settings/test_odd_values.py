"""Odd files and odd values of settings: taken, or one line that says what is wrong. Never a traceback."""

import codecs
import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from frostgate.v1.policy_decision_service_pb2 import ListRulesRequest
from frostgate_server.config.addresses import MOST_SOCKET_PATH
from frostgate_server.config.callers_table import parse_callers_file
from frostgate_server.config.loading import configure
from frostgate_server.domain.enums import Decision
from frostgate_server.domain.errors import StartupError
from frostgate_server.policy import loader
from frostgate_server.storage.head import read_heads
from frostgate_server.storage.sqlite.opening import open_store
from support.processes import PATIENCE, output, run
from support.runner.sizes import members
from support.server_process import COMMAND, ServerProcess, refused_start

NOT_UTF_8 = os.fsdecode(b"f\xff.db")
POLICY = (
    '[[rules]]\nfreeze_state = "ACCOUNT_FROZEN"\noperation = "VIEW"\nbilling_modes = ["YEARLY_MONTHLY"]\n'
    'decision = "ALLOW"\nmessage = "Allowed."\n'
)


def problem_of(flags: dict[str, str], file: Path | None = None) -> str:
    with pytest.raises(StartupError) as refused:
        configure(flags, {}, file)
    return str(refused.value)


def written(directory: Path, content: str | bytes, name: str = "frostgate.toml") -> Path:
    file = directory / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_every_toml_file_may_have_a_byte_order_mark(tmp_path: Path) -> None:
    text = codecs.BOM_UTF8 + b'check_threads = 3\n[[callers]]\nprincipal = "sub:a"\nrole = "operator"\n'
    file = written(tmp_path, text)
    configuration = configure({}, {}, file)
    assert configuration.settings.check_threads == 3
    assert parse_callers_file(text).value == configuration.callers
    policy = written(tmp_path, codecs.BOM_UTF8 + POLICY.encode(), "policy.toml")
    assert loader.load(policy, Decision.DENY).version != loader.load(None, Decision.DENY).version


def test_exported_heads_may_have_a_byte_order_mark(tmp_path: Path) -> None:
    line = b'{"database_id": "a", "revision": 1, "hash": "b", "audit_sequence": 0, "audit_hash": "c"}\n'
    assert read_heads(written(tmp_path, codecs.BOM_UTF8 + line))[0].revision == 1


def test_a_server_starts_with_files_that_have_a_byte_order_mark(tmp_path: Path) -> None:
    policy = written(tmp_path, codecs.BOM_UTF8 + POLICY.encode(), "policy.toml")
    file = written(tmp_path, codecs.BOM_UTF8 + f'policy = "{policy}"\n'.encode())
    with ServerProcess(tmp_path / "f.db", "--config", str(file)):
        pass


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "UTF-16": (codecs.BOM_UTF16_LE + "create = true\n".encode("utf-16-le"), "is not in UTF-8, at byte 1: save it in"),
    "Latin-1": ("token_issuer = 'ä'\n".encode("latin-1"), "is not in UTF-8, at byte 17: save it in UTF-8"),
    "nested": (b"a = " + b"[" * 50_000, "is not valid TOML: it is nested too deeply"),
    "a number of many digits": (b"workers = " + b"9" * 5_000, "is not valid TOML: Exceeds the limit"),
    "binary": (b"\0\1\2", "is not valid TOML: "),
    "two byte order marks": (codecs.BOM_UTF8 * 2, "is not valid TOML: "),
    "a key twice": (b"create = true\ncreate = true\n", "is not valid TOML: Cannot overwrite a value"),
}


@pytest.mark.parametrize("kind", members(BAD_FILES, short=["UTF-16", "a number of many digits"]))
def test_a_file_that_cannot_be_read_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    content, said = BAD_FILES[kind]
    file = written(tmp_path, content)
    line = refused_start("serve", "--config", str(file))
    assert line.startswith(f"configuration file {file} cannot be read: {said}")
    if kind != "a number of many digits":
        with pytest.raises(StartupError, match=f"policy file {file}: {said}"):
            loader.load(file, Decision.DENY)
        with pytest.raises(StartupError, match=f"^{said}"):
            parse_callers_file(content)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'token_issuer = ["a", "b"]',
            "token_issuer (from {}) {kind}, but is ['a', 'b']",
        ),
        ("token_issuer = {a = 1}", "token_issuer (from {}) {kind}, but is {{'a': 1}}"),
        ("[mail_user]\na = 1", "mail_user (from {}) {kind}, but is {{'a': 1}}"),
        (
            "mail_user = 2026-01-01",
            "mail_user (from {}) {kind}, but is datetime.date",
        ),
        ("workers = 1.5", "workers (from {}) must be a number from 1 to 64, or auto, but is 1.5"),
        ("workers = nan", "workers (from {}) must be a number from 1 to 64, or auto, but is nan"),
        (
            f"workers = 0x{'f' * 9000}",
            "workers (from {}) must be a number with fewer digits, but is too long",
        ),
        ('log_level = "a\\nb"', "log_level (from {}) must be debug, info, warning or error, but is 'a\\nb'"),
        ('"a\\nb" = 1', "{}: unknown setting a\\nb"),
        ('listen = "unix:/a\\u0000b"', "listen (from {}) must have no % and no NUL after unix:"),
        ('database = "a\\u0000b"', "database (from {}) must name a file, but is 'a\\x00b'"),
    ],
)
def test_a_value_of_another_kind_is_refused_in_one_line(line: str, said: str, tmp_path: Path) -> None:
    file = written(tmp_path, line + "\n")
    problem = problem_of({}, file)
    assert problem.startswith(said.format(file, kind="must be a string, a number, true or false"))
    assert problem.isprintable()


@pytest.mark.parametrize(
    "setting", ["listen", "mtls_listen", "database", "policy", "token_issuer", "mail_user", "head_export", "workers"]
)
def test_a_value_that_is_not_in_utf_8_is_refused(setting: str) -> None:
    problem = problem_of({setting: NOT_UTF_8})
    assert problem.startswith(f"{setting} (from --{setting.replace('_', '-')}) must be in UTF-8, but is 'f\\udcff.db'")


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--database", NOT_UTF_8),
        ("serve", "--config", NOT_UTF_8),
        ("serve", "--print-config", "--policy", NOT_UTF_8),
        ("serve", "--create", "--listen", f"unix:{NOT_UTF_8}"),
        ("backup", "--to", NOT_UTF_8),
        ("verify", "--heads", NOT_UTF_8),
        ("disable-codes", "--partner", NOT_UTF_8),
        (NOT_UTF_8,),
    ],
    ids=lambda words: " ".join(words[:-1]),
)
def test_an_argument_that_is_not_in_utf_8_is_refused_in_one_line(words: tuple[str, ...]) -> None:
    assert refused_start(*words).startswith("arguments must be in UTF-8, but one is '")


@pytest.mark.parametrize("variable", ["FROSTGATE_DATABASE", "FROSTGATE_CONFIG", "FROSTGATE_VERIFICATION_KEY"])
def test_a_variable_that_is_not_in_utf_8_is_refused_in_one_line(variable: str) -> None:
    line = refused_start("serve", variables={variable: NOT_UTF_8})
    assert "must be in UTF-8, but is 'f\\udcff.db'" in line
    assert line.isprintable()


ODD = ["a\nb", "a\rb", "a\tb", "a\x7fb", "a\x1bb", "a\u2028b", "a\u0085b", "a # b", '"""', "'", "\\", "\\u0041", "ä€𝄞"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
@pytest.mark.parametrize("setting", ["database", "token_issuer", "mail_user", "policy"])
def test_what_print_config_prints_is_read_back(odd: str, setting: str, tmp_path: Path) -> None:
    before = configure({setting: odd}, {}, None)
    file = written(tmp_path, before.shown())
    assert configure({}, {}, file).settings == before.settings


@pytest.mark.parametrize("odd", members([odd for odd in ODD if odd != "\\"], short=["a\nb", '"""', "ä€𝄞"]), ids=ascii)
def test_the_name_of_a_file_does_not_break_what_print_config_prints(odd: str, tmp_path: Path) -> None:
    file = written(tmp_path, "check_threads = 7\n", f"{odd}.toml")
    printed = output(*COMMAND, "serve", "--print-config", "--config", str(file))
    assert tomllib.loads(printed)["check_threads"] == 7


@pytest.mark.parametrize("length", members([MOST_SOCKET_PATH - 5, MOST_SOCKET_PATH], short=[MOST_SOCKET_PATH]))
def test_a_socket_path_as_long_as_can_be_is_served(length: int, tmp_path: Path) -> None:
    path = f"{tmp_path}/".ljust(length, "s")
    if len(path) > length:
        pytest.skip("the directory of the test has a long path itself")
    with ServerProcess(tmp_path / "f.db", "--listen", f"unix:{path}") as server:
        assert server.address == f"unix:{path}"
        server.decisions.ListRules(ListRulesRequest(), timeout=PATIENCE)


@pytest.mark.parametrize("setting", ["listen", "mtls_listen"])
@pytest.mark.parametrize("path", ["s" * (MOST_SOCKET_PATH + 1), "ä" * 60, "/" + "s" * 150])
def test_a_socket_path_that_is_too_long_is_refused(setting: str, path: str) -> None:
    problem = problem_of({setting: f"unix:{path}"})
    assert f"must have at most {MOST_SOCKET_PATH} bytes after unix:, but is 'unix:{path}'" in problem


@pytest.mark.parametrize("path", ["a%41", "%", "a%2Fb", "a\0b"])
def test_a_socket_path_that_grpc_would_read_as_another_one_is_refused(path: str) -> None:
    assert "must have no % and no NUL after unix:" in problem_of({"listen": f"unix:{path}"})


@pytest.mark.parametrize("name", ["ä#b?c;d@e"])
def test_a_socket_path_of_any_other_letters_is_served_under_its_own_name(name: str, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "f.db", "--listen", f"unix:{tmp_path}/{name}"):
        assert (tmp_path / name).is_socket()


UNUSABLE_PLACES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "a socket in no directory": (lambda d: ["--listen", f"unix:{d}/none/s"], "cannot listen on unix:"),
    "a socket in a file": (lambda d: ["--listen", f"unix:{written(d, '')}/s"], "cannot listen on unix:"),
    "a host that cannot be": (lambda _: ["--listen", f"{'a' * 70}.test:1", "--insecure"], "cannot listen on aaa"),
    "a database with a long name": (lambda d: ["--database", f"{d}/{'f' * 300}"], "[Errno 36] File name too long"),
    "a database that is a loop": (lambda d: ["--database", loop(d)], "database "),
    "heads to a loop": (lambda d: ["--head-export", loop(d)], "head_export must not be a symbolic link to itself"),
    "a key that is a directory": (lambda d: ["--verification-key", str(d)], "verification key "),
    "a policy that is a directory": (lambda d: ["--policy", str(d)], "policy file "),
    "a directory with a line break": (lambda d: ["--config", f"{d}/a\nb"], "configuration file "),
}


def loop(directory: Path) -> str:
    (directory / "loop").symlink_to(directory / "loop")
    return f"{directory}/loop"


@pytest.mark.parametrize(
    "kind",
    members(
        UNUSABLE_PLACES,
        short=[
            *("a socket in no directory", "a database that is a loop"),
            *("a key that is a directory", "a directory with a line break"),
        ],
    ),
)
def test_a_place_that_cannot_be_used_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    flags, said = UNUSABLE_PLACES[kind]
    line = refused_start("serve", "--database", f"{tmp_path}/f.db", "--create", *flags(tmp_path))
    assert line.startswith(said)
    assert "None" not in line


def test_an_audit_after_a_number_beyond_all_measure_is_refused_in_one_line(tmp_path: Path) -> None:
    open_store(tmp_path / "f.db", create=True).close()
    done = run(*COMMAND, "audit", "--after", "9" * 30, "--database", f"{tmp_path}/f.db")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
