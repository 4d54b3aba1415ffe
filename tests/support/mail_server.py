"""A real SMTP server on loopback, and the mails that were sent through it."""

import asyncio
import re
import ssl
from collections.abc import Coroutine
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from support.credentials import Authority
from support.processes import PATIENCE

_Result = TypeVar("_Result")

USER, PASSWORD = "frostgate", "secret of the mail server"
_CODE = re.compile(r"^Verification code: ([0-9]{8})\r?$", re.MULTILINE)


class MailServer:
    """Takes mails of clients that log in after STARTTLS.

    `refuses`: it refuses the mail itself. `refuses_recipient`: it refuses the recipient. `vanishes`: it takes the mail
    and closes the connection without an answer. `holds`: it answers a mail only after this event is set.
    """

    def __init__(self, directory: Path) -> None:
        """Returns when the server is ready. Writes the files that a client needs into the directory."""
        authority = Authority("mail servers")
        authority.issue(hosts=["localhost"]).write(directory, "mail")
        (directory / "mail-ca.pem").write_bytes(authority.pem)
        (directory / "mail-password").write_text(PASSWORD + "\n")
        self._directory = directory
        self._mails: Queue[tuple[str, EmailMessage]] = Queue()
        self.refuses = self.refuses_recipient = self.vanishes = False
        self.holds: Event | None = None
        self.held = Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "mail.pem", directory / "mail.key")
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="mail-server")
        self._thread.start()
        self._server = self._done(self._listening(context))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done(self._closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def flags(self) -> list[str]:
        """The flags of a frostgate-server that sends mails through it."""
        port = self._server.sockets[0].getsockname()[1]
        return [
            f"--mail-server=localhost:{port}",
            "--mail-sender=codes@frostgate.test",
            f"--mail-user={USER}",
            f"--mail-password-file={self._directory}/mail-password",
            f"--mail-ca={self._directory}/mail-ca.pem",
        ]

    def code(self, to: str) -> str:
        """The code in the next mail, which must be to this address."""
        recipient, mail = self.mail()
        assert recipient == to == mail["To"]
        return code_in(mail)

    def mail(self) -> tuple[str, EmailMessage]:
        """The next mail and its recipients."""
        return self._mails.get(timeout=PATIENCE)

    def is_empty(self) -> bool:
        """Whether all received mails were read by the test."""
        return self._mails.empty()

    async def _listening(self, context: ssl.SSLContext) -> asyncio.Server:
        def conversation() -> SMTP:
            return SMTP(
                self,
                tls_context=context,
                require_starttls=True,
                auth_required=True,
                auth_require_tls=True,
                authenticator=_authenticate,
                loop=self._loop,
            )

        return await self._loop.create_server(conversation, "127.0.0.1", 0)

    async def _closed(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _done(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def handle_RCPT(  # noqa: N802 - the name is the library's
        self, _: Any, __: Any, envelope: Any, address: str, ___: Any
    ) -> str:
        """Takes a recipient."""
        if self.refuses_recipient:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, __: Any, envelope: Any) -> str:  # noqa: N802 - the name is the library's
        """Takes a mail."""
        if self.refuses:
            return "451 try again later"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        (recipient,) = envelope.rcpt_tos
        self._mails.put((recipient, mail))
        if self.vanishes:
            server.transport.abort()
        if self.holds is not None:
            self.held.set()
            await asyncio.to_thread(self.holds.wait, PATIENCE)
        return "250 OK"


def code_in(mail: EmailMessage) -> str:
    """The code in a mail."""
    found = _CODE.findall(mail.get_content())
    assert len(found) == 1, mail
    return str(found[0])


def _authenticate(_: Any, __: Any, ___: Any, mechanism: str, given: Any) -> AuthResult:
    assert mechanism in {"PLAIN", "LOGIN"}
    assert isinstance(given, LoginPassword)
    right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right)
