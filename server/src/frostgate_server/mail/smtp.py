"""Sends verification codes by mail: through an SMTP server, or, for development, to the log."""

import logging
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from socket import SHUT_RDWR, gethostname, socket
from threading import Timer

from frostgate_server.auth.pem_bundle import split_bundle
from frostgate_server.config.settings import LOG_MAIL, Settings
from frostgate_server.config.usable import Usable
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.verification_code import Purpose
from frostgate_server.mail.message import body
from frostgate_server.services.mailer import DeliveryUnknown, Mailer

_log = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Seconds that each step of an SMTP session may take."""

DEADLINE = 10.0
"""Seconds for all steps, once the server's address is resolved: a worker that drains waits no longer."""


def create_mailer(settings: Settings) -> Mailer | None:
    """The mailer of the settings; None if no mail server is set."""
    if not settings.mail_server:
        return None
    return LogMailer() if settings.mail_server == LOG_MAIL else SmtpMailer(settings)


def ensure_mail_files(settings: Settings) -> list[str]:
    """Raises StartupError if the files that mail needs, for certificates and the password, cannot be used.

    Returns a line for each ignored authority.
    """
    problems, passed_over = check_mail_files(settings)
    if problems:
        raise StartupError("; ".join(problems))
    return passed_over


def check_mail_files(settings: Settings) -> tuple[list[str], list[str]]:
    """Each problem with the files that mail needs, and a line for each ignored authority."""
    problems: list[str] = []
    passed_over: list[str] = []
    if settings.mail_server in {"", LOG_MAIL}:
        return problems, passed_over
    try:
        if settings.mail_ca is not None:
            found = _read_authorities(settings.mail_ca).passed_over
            passed_over = [f"mail_ca ({settings.mail_ca}): ignored {problem}" for problem in found]
    except OSError as error:
        problems.append(f"mail cannot be sent: {error}")
    try:
        _password(settings).encode("ascii")
    except OSError as error:
        problems.append(f"mail cannot be sent: {error}")
    except UnicodeError:
        problems.append("mail cannot be sent: the password must be ASCII")
    return problems, passed_over


class LogMailer:
    """Writes mails to the log, and does not send them."""

    def send(self, to: str, code: str, purpose: Purpose, expire_time: datetime) -> None:
        _log.warning("mail_server = log: this mail to %s is not sent:\n%s", to, body(code, purpose, expire_time))


class SmtpMailer:
    """Sends mails through an SMTP server, each in its own session. The password file is read for each mail."""

    def __init__(self, settings: Settings) -> None:
        """Uses the settings of mail."""
        self._settings = settings
        host, _, port = settings.mail_server.rpartition(":")
        self._host = host.strip("[]")
        self._port = int(port)

    def send(self, to: str, code: str, purpose: Purpose, expire_time: datetime) -> None:
        try:
            message = self._message(to, code, purpose, expire_time)
            with self._conversation() as smtp:
                self._introduce(smtp, to)
                _hand_over(smtp, message)
        except (OSError, ValueError) as error:
            raise OSError(_told(error)) from None

    def _message(self, to: str, code: str, purpose: Purpose, expire_time: datetime) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._settings.mail_sender
        message["To"] = to
        message["Subject"] = f"Verification code for partner {purpose.partner_id}"
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self._settings.mail_sender.rpartition("@")[2])
        message.set_content(body(code, purpose, expire_time))
        return message.as_bytes()

    @contextmanager
    def _conversation(self) -> Iterator[smtplib.SMTP]:
        """An SMTP session, including its greeting, that ends at the deadline at the latest."""
        name = gethostname()
        smtp = (
            smtplib.SMTP_SSL(local_hostname=name, timeout=TIMEOUT, context=_trusted(self._settings))
            if self._settings.mail_security == "tls"
            else smtplib.SMTP(local_hostname=name, timeout=TIMEOUT)
        )
        deadline = Timer(DEADLINE, lambda: _cut(smtp.sock))
        deadline.daemon = True
        deadline.start()
        try:
            # The host name for the check of certificates. Only the constructor sets it, but it would also connect.
            vars(smtp)["_host"] = self._host
            smtp.connect(self._host, self._port)
            yield smtp
        finally:
            deadline.cancel()
            smtp.close()

    def _introduce(self, smtp: smtplib.SMTP, to: str) -> None:
        """The steps before the mail itself: encryption, login, sender and recipient."""
        if self._settings.mail_security == "starttls":
            smtp.starttls(context=_trusted(self._settings))
        if self._settings.mail_user:
            smtp.login(self._settings.mail_user, _password(self._settings))
        smtp.ehlo_or_helo_if_needed()
        for code, _ in (smtp.mail(self._settings.mail_sender), smtp.rcpt(to)):
            if code not in {250, 251}:
                raise smtplib.SMTPResponseException(code, "")


def _hand_over(smtp: smtplib.SMTP, message: bytes) -> None:
    """Sends the mail itself. Raises DeliveryUnknown if there is no answer: the server may have accepted the mail."""
    try:
        code, _ = smtp.data(message)
    except smtplib.SMTPDataError as error:
        code = error.smtp_code
    except (OSError, ValueError) as error:
        raise DeliveryUnknown(f"the mail server did not answer whether it accepted a mail: {_told(error)}") from None
    if code != 250:
        raise smtplib.SMTPResponseException(code, "")
    with suppress(OSError):
        smtp.quit()


def _cut(connection: socket | None) -> None:
    """Shuts down the connection of a session that takes too long. This also ends a TLS connection."""
    if connection is not None:
        with suppress(OSError):
            socket.shutdown(connection, SHUT_RDWR)


def _told(error: Exception) -> str:
    """A description of an error for the log, without its text: this may quote a contact or the password."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answers {error.smtp_code}"
    return (
        f"{type(error).__name__} {error.strerror or ''}".strip() if isinstance(error, OSError) else type(error).__name__
    )


def _trusted(settings: Settings) -> ssl.SSLContext:
    """The TLS settings for the mail server. Raises OSError if no authority can be read."""
    if settings.mail_ca is None:
        return ssl.create_default_context()
    return ssl.create_default_context(cadata=_read_authorities(settings.mail_ca).value)


def _read_authorities(file: Path) -> Usable[str]:
    """The certificates of a PEM file; those that cannot be read are ignored. Raises OSError if none is left."""
    found, passed_over = [], []
    for place, block in split_bundle(file.read_bytes()):
        try:
            text = block.decode("ascii")
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
            found.append(text)
        except (ssl.SSLError, ValueError) as error:
            passed_over.append(f"{place}: cannot be read: {type(error).__name__}")
    if not found:
        raise OSError("; ".join([f"{file} has no certificate that can be read", *passed_over]))
    return Usable("\n".join(found), tuple(passed_over))


def _password(settings: Settings) -> str:
    file = settings.mail_password_file
    return "" if file is None else file.read_text("utf-8-sig").strip()
