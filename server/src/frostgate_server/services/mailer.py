"""What the use cases ask of a mailer."""

from datetime import datetime
from typing import Protocol

from frostgate_server.domain.verification_code import Purpose


class DeliveryUnknown(Exception):
    """Nobody knows whether a mail was taken: its code stays good, and counts."""


class Mailer(Protocol):
    """Brings codes to those who are to have them."""

    def send(self, to: str, code: str, purpose: Purpose, expire_time: datetime) -> None:
        """Mails a code. Returns once a mail server has taken it.

        Raises DeliveryUnknown if it may have been taken, OSError if it was not: neither ever tells the contact.
        """
