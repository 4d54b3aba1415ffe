"""The audit log: what was refused to callers that are known, and what was done to partners. Pure.

Its entries have an order of their own, and a chain of hashes of their own. No code and no token ever stands in one.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from .partner import Partner


@dataclass(frozen=True, slots=True)
class AuditNote:
    """What is to be written down: who called what, when, about whom, and with what outcome.

    `reason` names the error of a call that was refused, and is empty for one that was done. `subject` is a customer or
    a partner. `omitted` tells how many refusals of this caller were left out before this one. `partner` is what an
    update made of the partner.
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
    """A note in its place: numbered from 1; only recovery leaves a gap."""

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
