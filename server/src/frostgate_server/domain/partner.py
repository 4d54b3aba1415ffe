"""Partners and their updates. Pure."""

import re
from dataclasses import dataclass, replace

from .errors import FieldViolation, InvalidFields

MASK = "***"

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner. Its first customer creates it with codes disabled and without a contact. An empty contact is none."""

    partner_id: str
    verification_code_enabled: bool = False
    verification_contact: str = ""


@dataclass(frozen=True, slots=True)
class PartnerUpdate:
    """The new values of a partner. None: unchanged."""

    partner_id: str
    verification_code_enabled: bool | None = None
    verification_contact: str | None = None


def updated(before: Partner | None, update: PartnerUpdate) -> Partner:
    """The partner after an update. The update creates the partner if it does not exist.

    Raises InvalidFields if codes would be enabled without a contact.
    """
    after = before or Partner(update.partner_id)
    if update.verification_code_enabled is not None:
        after = replace(after, verification_code_enabled=update.verification_code_enabled)
    if update.verification_contact is not None:
        after = replace(after, verification_contact=update.verification_contact)
    if after.verification_code_enabled and not after.verification_contact:
        raise InvalidFields(
            [FieldViolation("partner.verification_contact", "must be set, since verification codes are sent there")]
        )
    return after


def is_address(text: str) -> bool:
    """Whether it is a plain e-mail address, without text that a mail program would decode or interpret."""
    return _ADDRESS.fullmatch(text) is not None and "=?" not in text


def mask_contact(contact: str) -> str:
    """A contact in masked form: its first letter and its domain. An empty contact stays empty."""
    name, at, domain = contact.rpartition("@")
    return f"{name[:1] if len(name) > 1 else ''}{MASK}{at}{domain}" if contact else ""
