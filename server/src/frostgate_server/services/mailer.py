"""The interface of a mailer for the use cases."""

from datetime import datetime
from typing import Protocol

from frostgate_server.domain.verification_code import Purpose


class DeliveryUnknown(Exception):
    """It is unknown whether a mail server accepted a mail. Its code stays valid and counts as sent."""


class Mailer(Protocol):
    """Sends codes to contacts."""

    def send(self, to: str, code: str, purpose: Purpose, expire_time: datetime) -> None:
        """Mails a code. Returns when a mail server has accepted it.

        Raises OSError if it was not accepted, and DeliveryUnknown if it may have been accepted. Neither error contains
        the contact.
        """
