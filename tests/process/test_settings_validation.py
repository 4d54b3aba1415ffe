"""Settings that contradict each other are refused before a server starts; sound ones are accepted."""

from pathlib import Path

import pytest
from frostgate_server.config.loading import configure
from frostgate_server.config.validation import ensure_valid
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.sqlite.files.paths import FILE_ENDINGS

TLS = {"tls_certificate": "c", "tls_key": "k"}
MTLS = {**TLS, "mtls_listen": "localhost:2", "client_ca": "a"}
TOKENS = {**TLS, "token_issuer": "i", "token_audience": "a", "token_keys": "k"}
OPEN = "0.0.0.0:1"
MAIL = {"mail_server": "mail.example:25", "mail_sender": "codes@frostgate.test"}


def problem_of(flags: dict[str, str], has_callers: bool, directory: Path) -> str:
    """What is said of the settings; nothing if they are sound."""
    file = directory / "frostgate.toml"
    file.write_text('[[callers]]\nprincipal = "sub:a"\nrole = "operator"\n' if has_callers else "")
    try:
        ensure_valid(configure(flags, {}, file), FILE_ENDINGS)
    except StartupError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("flags", "has_callers"),
    [
        ({}, False),
        (TLS, False),
        ({"listen": OPEN, "insecure": "true"}, False),
        ({**TLS, "listen": OPEN, "insecure": "true"}, False),
        (MTLS, True),
        ({**MTLS, "listen": ""}, True),
        ({**MTLS, "listen": "", "mtls_listen": OPEN}, True),
        ({**TOKENS, "listen": OPEN}, True),
        ({**TOKENS, **MTLS}, True),
        ({**TOKENS, "listen": "unix:/tmp/s"}, True),
        ({"mail_server": "log"}, False),
        (MAIL, False),
        ({**MAIL, "mail_user": "u", "mail_password_file": "p"}, False),
        ({**MAIL, "mail_server": "localhost:25", "mail_security": "none"}, False),
        ({"listen": "unix:/tmp/s", "workers": "1"}, False),
        ({"database": "d.db", "head_export": "heads.jsonl"}, False),
        ({"head_export": "-"}, False),
        ({"database": "data/d.db", "backup_directory": "data/backups"}, False),
    ],
    ids=[
        *("defaults", "TLS", "insecure", "insecure TLS", "mTLS", "mTLS only", "open mTLS"),
        *("open tokens", "tokens and mTLS", "tokens over a socket", "mail in the log", "mail", "mail with a login"),
        *("mail on loopback", "one worker on a socket", "exported heads", "heads on stdout"),
        "scheduled backups",
    ],
)
def test_sound_settings(flags: dict[str, str], has_callers: bool, tmp_path: Path) -> None:
    assert problem_of(flags, has_callers, tmp_path) == ""


@pytest.mark.parametrize(
    ("flags", "has_callers", "said"),
    [
        ({"tls_certificate": "c"}, False, "tls_certificate needs its key: set tls_key"),
        ({"tls_key": "k"}, False, "tls_key needs its certificate: set tls_certificate"),
        (
            {"mtls_listen": "localhost:2", "client_ca": "a"},
            True,
            "mtls_listen needs a server certificate: set tls_certificate and tls_key",
        ),
        (
            {**TLS, "mtls_listen": "localhost:2"},
            True,
            "mtls_listen needs the authorities of client certificates: set client_ca",
        ),
        (
            {**TLS, "client_ca": "a"},
            False,
            "client_ca has no effect without an address for client certificates: set mtls_listen",
        ),
        (
            {**TLS, "token_issuer": "i"},
            True,
            (
                "tokens cannot be verified without token_audience and token_keys: "
                "set all of token_issuer, token_audience, token_keys, or none"
            ),
        ),
        (
            {**TOKENS, **MTLS, "listen": ""},
            True,
            "tokens are accepted only at listen, but listen is empty: set listen, or remove token_issuer",
        ),
        (
            {"token_issuer": "i", "token_audience": "a", "token_keys": "k"},
            True,
            "tokens are accepted over TLS only: set tls_certificate and tls_key",
        ),
        (MTLS, False, "mtls_listen cannot be used without callers: add [[callers]] to the file of --config"),
        (TOKENS, False, "token_issuer cannot be used without callers: add [[callers]] to the file of --config"),
        (
            {},
            True,
            "callers cannot identify themselves: set mtls_listen, or token_issuer, token_audience and token_keys",
        ),
        (
            TLS,
            True,
            "callers cannot identify themselves: set mtls_listen, or token_issuer, token_audience and token_keys",
        ),
        (
            {"listen": OPEN},
            False,
            "other machines can reach 0.0.0.0:1, but there is no TLS: listen on 127.0.0.1, or pass --insecure",
        ),
        (
            {**TLS, "listen": OPEN},
            False,
            "other machines can reach 0.0.0.0:1, but there are no callers: listen on 127.0.0.1, or pass --insecure",
        ),
        (
            {"listen": OPEN, "insecure": "true", "mail_server": "log"},
            False,
            "other machines can reach 0.0.0.0:1: mail_server = log is for loopback only",
        ),
        (
            {**MTLS, "listen": "", "mtls_listen": OPEN, "mail_server": "log"},
            True,
            "other machines can reach 0.0.0.0:1: mail_server = log is for loopback only",
        ),
        ({**MAIL, "mail_sender": ""}, False, "mail_server needs mail_sender: the sender address of codes"),
        (
            {**MAIL, "mail_user": "u"},
            False,
            "mail_user and mail_password_file must be set together",
        ),
        (
            {**MAIL, "mail_user": "ä", "mail_password_file": "p"},
            False,
            "mail_user must be ASCII, but is 'ä'",
        ),
        (
            {**MAIL, "mail_security": "none"},
            False,
            "others can read mail to mail.example:25 with mail_security = none: set starttls",
        ),
        (
            {"database": "d.db", "head_export": "./d.db-head"},
            False,
            "head_export must not be a file of the database itself, but is d.db-head",
        ),
        (
            {"database": "data/d.db", "backup_directory": "data/../data"},
            False,
            "backup_directory must not be the directory of the database, but is data/../data: name another directory",
        ),
        (
            {"listen": "unix:/tmp/s", "workers": "2"},
            False,
            "2 workers cannot share unix:/tmp/s: set --workers 1, or listen on a port",
        ),
        (
            {**MTLS, "mtls_listen": "unix:/tmp/s", "workers": "64"},
            True,
            "64 workers cannot share unix:/tmp/s: set --workers 1, or listen on a port",
        ),
    ],
    ids=[
        *("certificate without key", "key without certificate", "mTLS without certificate", "mTLS without authority"),
        *("authority without mTLS", "incomplete token settings", "tokens without address", "tokens without TLS"),
        *("mTLS without callers", "tokens without callers", "plaintext with callers", "TLS with callers"),
        *("open plaintext", "open TLS without callers", "open with mail in the log", "open mTLS with mail in the log"),
        *("mail without sender", "user without password", "user not ASCII", "mail that others can read"),
        *(
            "heads into the database",
            "backups beside the database",
            "workers on a socket",
            "workers on a socket for mTLS",
        ),
    ],
)
def test_unsound_settings(flags: dict[str, str], has_callers: bool, said: str, tmp_path: Path) -> None:
    assert problem_of(flags, has_callers, tmp_path) == said


def test_problems_come_in_the_order_of_the_rules(tmp_path: Path) -> None:
    """Each step mends what the server names first."""
    flags = {"tls_certificate": "c", "token_issuer": "i", "listen": OPEN, "mail_server": "a:1", "workers": "2"}
    flags |= {"mtls_listen": "unix:/tmp/s", "database": "d.db", "head_export": "d.db"}
    mended: list[tuple[str, dict[str, str]]] = [
        ("tls_certificate needs its key", {"tls_key": "k", "client_ca": "a"}),
        ("tokens cannot be verified", {"token_issuer": ""}),
        ("mtls_listen cannot be used without callers", {"mtls_listen": "", "client_ca": ""}),
        ("other machines can reach 0.0.0.0:1", {"listen": "unix:/tmp/s"}),
        ("mail_server needs mail_sender", {"mail_sender": "a@b"}),
        ("head_export must not be", {"head_export": ""}),
        ("2 workers cannot share unix:/tmp/s", {"workers": "auto"}),
    ]
    for said, mend in mended:
        assert problem_of(flags, False, tmp_path).startswith(said)
        flags |= mend
    assert problem_of(flags, False, tmp_path) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token_algorithms", "HS256"),
        ("token_algorithms", "RS256,none"),
        ("token_algorithms", ""),
        ("token_algorithms", "RS256,"),
        ("token_algorithms", "rs256"),
        ("token_leeway", "61s"),
        ("token_leeway", "-1s"),
        ("reflection", "on"),
        ("mtls_listen", "localhost"),
        ("tls_certificate", "/"),
    ],
)
def test_values_that_cannot_be(name: str, value: str) -> None:
    with pytest.raises(StartupError, match=rf"^{name} \(from "):
        configure({name: value}, {}, None)
