"""Where codes are mailed to, and what keeps a server from starting that could not, or not safely."""

import socket
import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from frostgate_server.config.code_key_file import code_key
from frostgate_server.config.configuration import Configuration
from frostgate_server.config.loading import configure
from frostgate_server.config.settings import Settings
from frostgate_server.config.validation import ensure_valid
from frostgate_server.domain.enums import FreezeScope, VerificationAction
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.verification_code import CodeKey, Purpose
from frostgate_server.mail.message import body
from frostgate_server.mail.smtp import LogMailer, SmtpMailer, create_mailer, ensure_mail_files
from frostgate_server.services.mailer import DeliveryUnknown
from frostgate_server.storage.sqlite.files.paths import FILE_ENDINGS
from support.credentials import Authority
from support.mail_server import MailServer, code_in
from support.processes import PATIENCE
from support.server_process import refused_start

EXPIRES = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PURPOSE = Purpose.of("p-1", VerificationAction.FREEZE, ["b", "a"], FreezeScope.ACCOUNT)


def configuration_of(*flags: str) -> Configuration:
    """Of flags as --a-setting=value."""
    split = [flag.removeprefix("--").split("=", 1) for flag in flags]
    return configure({name.replace("-", "_"): value for name, value in split}, {}, None)


def settings_of(*flags: str) -> Settings:
    """Of flags as --a-setting=value."""
    return configuration_of(*flags).settings


def ensure_mail(configuration: Configuration) -> None:
    """As serve does it."""
    ensure_valid(configuration, FILE_ENDINGS)
    ensure_mail_files(configuration.settings)


def test_a_mail_says_what_its_code_is_for(tmp_path: Path) -> None:
    with MailServer(tmp_path) as server:
        SmtpMailer(settings_of(*server.flags())).send("a@example.org", "01234567", PURPOSE, EXPIRES)
        recipient, mail = server.mail()
    assert (recipient, mail["From"], code_in(mail)) == ("a@example.org", "codes@frostgate.test", "01234567")
    for told in ("freeze a, b, scope ACCOUNT", "partner p-1", "2026-01-02 03:04:05 UTC"):
        assert told in mail.get_content()


@pytest.mark.parametrize(
    ("action", "ids", "scope", "told"),
    [
        (VerificationAction.UNFREEZE, ["a"], FreezeScope.ACCOUNT, "unfreeze a, scope ACCOUNT, on behalf"),
        (VerificationAction.DISASSOCIATE, ["a"], None, "end the association of a, on behalf"),
        (VerificationAction.UPDATE_PARTNER, [], None, "change the verification settings, on behalf of partner p"),
        (VerificationAction.FREEZE, [f"c-{n:02d}" for n in range(12)], FreezeScope.ACCOUNT, "c-09 and 2 more, scope"),
    ],
)
def test_every_action_has_its_words(
    action: VerificationAction, ids: list[str], scope: FreezeScope | None, told: str
) -> None:
    assert told in body("01234567", Purpose.of("p", action, ids, scope), EXPIRES)


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--mail-user=somebody", "the mail server answers 535"),
        ("--mail-security=none", "SMTPNotSupportedError"),
        ("--mail-ca=", "SSLCertVerificationError"),
        ("--mail-password-file=/does/not/exist", "FileNotFoundError No such file"),
        ("--mail-server=localhost:1", "ConnectionRefusedError"),
        ("--mail-user=näme", "UnicodeEncodeError"),
    ],
)
def test_what_the_mail_server_does_not_take_is_an_error(tmp_path: Path, flag: str, told: str) -> None:
    with MailServer(tmp_path) as server:
        mailer = SmtpMailer(settings_of(*server.flags(), flag))
        with pytest.raises(OSError, match=f"^{told}"):
            mailer.send("a@example.org", "01234567", PURPOSE, EXPIRES)
        assert server.is_empty()


def test_an_authority_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    with MailServer(tmp_path) as server:
        bundle = tmp_path / "bundle.pem"
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        bundle.write_bytes(broken + (tmp_path / "mail-ca.pem").read_bytes() + Authority("other").pem)
        settings = settings_of(*server.flags(), f"--mail-ca={bundle}")
        passed_over = ensure_mail_files(settings)
        SmtpMailer(settings).send("a@example.org", "01234567", PURPOSE, EXPIRES)
        assert server.mail()[0] == "a@example.org"
    assert passed_over == [f"mail_ca ({bundle}): ignored certificate 1 (line 1): cannot be read: SSLError"]


@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_authorities_none_of_which_can_be_read_keep_a_server_from_starting(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    settings = settings_of("--mail-server=a:25", "--mail-sender=b@c", f"--mail-ca={tmp_path}/ca.pem")
    with pytest.raises(StartupError, match="has no certificate that can be read"):
        ensure_mail_files(settings)


@pytest.mark.parametrize("word", ["refuses_recipient", "refuses"])
def test_a_refusal_is_told_without_the_contact(tmp_path: Path, word: str) -> None:
    with MailServer(tmp_path) as server:
        setattr(server, word, True)
        with pytest.raises(OSError, match=r"^the mail server answers \d+$"):
            SmtpMailer(settings_of(*server.flags())).send("a@example.org", "01234567", PURPOSE, EXPIRES)


def test_a_mail_of_which_nobody_knows_whether_it_was_taken_is_lost(tmp_path: Path) -> None:
    with MailServer(tmp_path) as server:
        server.vanishes = True
        with pytest.raises(DeliveryUnknown, match="did not answer whether it accepted a mail"):
            SmtpMailer(settings_of(*server.flags())).send("a@example.org", "01234567", PURPOSE, EXPIRES)
        assert server.mail()[0] == "a@example.org"


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize("greets", [True, False])
def test_a_mail_server_that_dribbles_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str, greets: bool
) -> None:
    monkeypatch.setattr("frostgate_server.mail.smtp.DEADLINE", 0.5)
    authority = Authority("mail servers")
    authority.issue(hosts=["localhost"]).write(tmp_path, "mail")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "mail.pem", tmp_path / "mail.key")
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as elsewhere:
        dribbling = elsewhere.submit(dribble, listener, security, tls, greets)
        address = f"localhost:{listener.getsockname()[1]}"
        flags = [f"--mail-server={address}", "--mail-sender=a@b.c", f"--mail-security={security}"]
        mailer = SmtpMailer(settings_of(*flags, f"--mail-ca={tmp_path}/ca.pem"))
        with pytest.raises(OSError, match=r"^(SMTP|Connection|SSL|Timeout)"):
            mailer.send("a@example.org", "01234567", PURPOSE, EXPIRES)
        assert dribbling.result(PATIENCE) > 1


def dribble(listener: socket.socket, security: str, tls: ssl.SSLContext, greets: bool) -> int:
    """A server that goes on with an answer for as long as it is listened to. Gives how many lines that was."""
    connection, _ = listener.accept()
    lines = 0
    with suppress(OSError), ExitStack() as held:
        held.enter_context(connection)
        if security == "tls":
            connection = held.enter_context(tls.wrap_socket(connection, server_side=True))
        if greets:
            connection.sendall(b"220 slow\r\n")
            connection.recv(1000)
        if greets and security == "starttls":
            connection.sendall(b"250-slow\r\n250 STARTTLS\r\n")
            connection.recv(1000)
            connection.sendall(b"220 go on\r\n")
            connection = held.enter_context(tls.wrap_socket(connection, server_side=True))
            connection.recv(1000)
        connection.settimeout(0.05)
        while True:
            connection.sendall(b"250-still here\r\n" if greets else b"220-still here\r\n")
            lines += 1
            with suppress(TimeoutError):
                if not connection.recv(1000):
                    break
    return lines


def test_a_mail_server_is_none_the_log_or_a_real_one() -> None:
    assert create_mailer(settings_of()) is None
    assert isinstance(create_mailer(settings_of("--mail-server=log")), LogMailer)
    assert isinstance(create_mailer(settings_of("--mail-server=mail.example.org:587")), SmtpMailer)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (
            ["--mail-server=log", "--listen=192.0.2.1:1", "--insecure=true"],
            "other machines can reach 192.0.2.1:1: mail_server = log is for",
        ),
        (["--mail-server=a:25"], "mail_server needs mail_sender"),
        (
            ["--mail-server=a:25", "--mail-sender=b@c", "--mail-user=d"],
            "mail_user and mail_password_file must be set together",
        ),
        (["--mail-server=a:25", "--mail-sender=b@c", "--mail-security=none"], "others can read mail to a:25"),
        (["--mail-server=a:25", "--mail-sender=b@c", "--mail-ca=/none"], "mail cannot be sent"),
        (["--mail-server=a:25", "--mail-sender=b@c", f"--mail-password-file={__file__}"], "must be set together"),
        (
            ["--mail-server=a:25", "--mail-sender=b@c", "--mail-user=d", f"--mail-password-file={__file__}"],
            "the password must be ASCII",
        ),
        (
            ["--mail-server=a:25", "--mail-sender=b@c", "--mail-user=ä", f"--mail-password-file={__file__}"],
            "mail_user must be ASCII",
        ),
    ],
)
def test_mail_that_cannot_go_or_could_be_read_keeps_a_server_from_starting(flags: list[str], why: str) -> None:
    with pytest.raises(StartupError, match=why):
        ensure_mail(configuration_of(*flags))


@pytest.mark.parametrize(
    "flag", ["--mail-server=a", "--mail-server=a:0", "--mail-security=ssl", "--code-tries=0", "--mail-sender=a"]
)
def test_values_that_cannot_be_are_refused(tmp_path: Path, flag: str) -> None:
    assert "must be" in refused_start("serve", "--database", str(tmp_path / "f.db"), "--create", flag)


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = tmp_path / "frostgate.db-key"
    digests = [code_key(None, key).digest("id", PURPOSE, "01234567") for _ in range(2)]
    assert digests[0] == digests[1]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert digests[0] != code_key(None, tmp_path / "other.db-key").digest("id", PURPOSE, "01234567")
    assert key.read_text().strip() not in repr(code_key(None, key))


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"short\n", "must have at least 32 bytes but has 5")]
)
def test_a_key_that_is_named_must_be_there_and_long_enough(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartupError, match=why):
        code_key(path, tmp_path / "frostgate.db-key")


def test_a_digest_depends_on_all_that_a_code_is_good_for() -> None:
    key = CodeKey(b"k" * 32)
    others: list[dict[str, Any]] = [
        {"partner_id": "p-2"},
        {"action": VerificationAction.UNFREEZE},
        {"customer_ids": ["a"]},
        {"scope": FreezeScope.ACCOUNT_AND_RESOURCES},
    ]
    fields = {"partner_id": "p-1", "action": PURPOSE.action, "customer_ids": ["a", "b"], "scope": PURPOSE.scope}
    purposes = [Purpose.of(**{**fields, **other}) for other in others]
    digests = {key.digest("id", purpose, "01234567") for purpose in [PURPOSE, *purposes]}
    digests |= {key.digest("id", PURPOSE, "76543210"), key.digest("other", PURPOSE, "01234567")}
    digests.add(CodeKey(b"l" * 32).digest("id", PURPOSE, "01234567"))
    assert len(digests) == 8
