"""The hash chains: the hash of each event, and of each entry of the audit log, covers all earlier ones. Pure."""

import hashlib
import json
from datetime import datetime

from .audit_entry import AuditEntry
from .customer import EVENT_FIELDS, FreezeEvent

GENESIS = "0" * 64
"""The previous hash of the first event or entry of a chain."""


def hash_event(previous_hash: str, event: FreezeEvent) -> str:
    """The hash of an event: SHA-256, in hexadecimal, over the previous hash and every field of the event.

    The form of this content never changes: a change would break every existing chain.
    """
    return hash_content(previous_hash, *(_content(getattr(event, name)) for name in EVENT_FIELDS))


def hash_audit_entry(previous_hash: str, entry: AuditEntry) -> str:
    """The hash of an entry of the audit log, made like the hash of an event. Its form never changes either."""
    note = entry.note
    partner = note.partner
    return hash_content(
        previous_hash,
        entry.sequence,
        note.principal,
        note.method,
        note.reason,
        note.subject,
        note.note_time.isoformat(timespec="microseconds"),
        note.omitted,
        partner and [partner.partner_id, partner.verification_code_enabled, partner.verification_contact],
    )


def _content(value: object) -> object:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def hash_content(*content: object) -> str:
    """SHA-256, in hexadecimal, over the content as JSON."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
