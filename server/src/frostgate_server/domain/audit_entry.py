"""The audit log: refused calls of known callers, and changes of partners. Pure.

Its entries have their own order and their own hash chain. They never contain codes or tokens.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from .partner import Partner


@dataclass(frozen=True, slots=True)
class AuditNote:
    """The content of an entry: the caller, the method, the time, the subject and the outcome.

    `reason` names the error of a refused call, and is empty for a call that was carried out. `subject` is a customer or
    a partner. `omitted` is the number of refusals of this caller that were left out before this one. `partner` is the
    partner after an update.
    """

    principal: str
    method: str
    reason: str
    subject: str
    note_time: datetime
    omitted: int = 0
    partner: Partner | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A note with its number in the log. Numbers start at 1, and only recovery leaves a gap."""

    sequence: int
    note: AuditNote


def as_json(entry: AuditEntry) -> str:
    """An entry as a line of JSON."""
    note = entry.note
    partner = note.partner and {
        "partner_id": note.partner.partner_id,
        "verification_code_enabled": note.partner.verification_code_enabled,
        "verification_contact": note.partner.verification_contact,
    }
    fields = {
        "sequence": entry.sequence,
        "time": note.note_time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "principal": note.principal,
        "method": note.method,
        "reason": note.reason,
        "subject": note.subject,
        "omitted": note.omitted,
        "partner": partner,
    }
    return json.dumps(fields)
