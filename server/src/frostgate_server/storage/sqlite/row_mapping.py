"""Converts rows to domain objects and back. Verifies the checksum of every customer row that is read."""

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from frostgate_server.domain.audit_entry import AuditEntry, AuditNote
from frostgate_server.domain.customer import EVENT_FIELDS, Customer, FreezeEvent
from frostgate_server.domain.enums import FreezeEventAction, FreezeScope, FreezeState
from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.domain.hash_chain import hash_content
from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import SentCode

Row = tuple[Any, ...]

CUSTOMER_COLUMNS = (
    "customer_id, freeze_state, revision, checksum, partner_id, freeze_reason, "
    "freeze_time, retention_expire_time, associate_time, update_time"
)
EVENT_COLUMNS = ", ".join(EVENT_FIELDS)

PARTNER_COLUMNS = "partner_id, verification_code_enabled, verification_contact"
CODE_COLUMNS = "code_id, digest, expire_time, tries"
ENTRY_COLUMNS = f"sequence, principal, method, reason, subject, note_time, omitted, {PARTNER_COLUMNS}"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def checksum(customer_id: str, freeze_state: int, revision: int) -> int:
    """The CRC-32 of a customer row. It detects accidental changes, but not deliberate ones."""
    return zlib.crc32(f"{customer_id} {freeze_state} {revision}".encode())


def verify_state(customer_id: str, freeze_state: int, revision: int, claimed: int) -> FreezeState:
    """The state of a customer row. Raises StorageUnavailable if the checksum does not match the row."""
    if checksum(customer_id, freeze_state, revision) != claimed:
        raise StorageUnavailable(f"the row of customer {customer_id} does not match its checksum")
    return _STATES[freeze_state]


_STATES = {int(state): state for state in FreezeState}


def ensure_unknown(customer_id: str, last_action: int | None) -> None:
    """Raises StorageUnavailable if a customer has no row, but its last event requires one.

    `last_action` is the action of that event; None if there is no event. Damage can hide a row without an SQLite error.
    """
    if last_action is not None and last_action != FreezeEventAction.DISASSOCIATED:
        raise StorageUnavailable(f"the row of customer {customer_id} is missing, although its last event requires one")


def to_microseconds(time: datetime) -> int:
    """The stored value of a time: microseconds since 1970, UTC."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(stored: int) -> datetime:
    """The time of a stored value."""
    return _EPOCH + stored * _MICROSECOND


_EVENT_CONVERSIONS: dict[str, Callable[[int], object]] = {
    "action": FreezeEventAction,
    "scope": FreezeScope,
    "state_before": FreezeState,
    "state_after": FreezeState,
    "event_time": from_microseconds,
    "retention_expire_time": from_microseconds,
}
"""Conversions from stored values, for fields that are stored as another type. None stays None."""


def make_customer_row(customer: Customer) -> Row:
    """The values of CUSTOMER_COLUMNS."""
    return (
        customer.customer_id,
        customer.freeze_state,
        customer.revision,
        checksum(customer.customer_id, customer.freeze_state, customer.revision),
        customer.partner_id,
        customer.freeze_reason,
        _stored(customer.freeze_time),
        _stored(customer.retention_expire_time),
        to_microseconds(customer.associate_time),
        to_microseconds(customer.update_time),
    )


def read_customer_row(row: Row) -> Customer:
    """A customer from CUSTOMER_COLUMNS. Raises StorageUnavailable if the checksum does not match the row."""
    (customer_id, state, revision, claimed, partner_id, reason, frozen, expires, associated, updated) = row
    return Customer(
        customer_id=customer_id,
        partner_id=partner_id,
        freeze_state=verify_state(customer_id, state, revision, claimed),
        freeze_reason=reason,
        freeze_time=_read(frozen),
        retention_expire_time=_read(expires),
        associate_time=from_microseconds(associated),
        update_time=from_microseconds(updated),
        revision=revision,
    )


def read_current_customer(customer_id: str, row: Row) -> Customer | None:
    """A customer, or None, from CUSTOMER_COLUMNS and the revision and action of its last event.

    Raises StorageUnavailable if the row is missing, or does not match its last event or its checksum.
    """
    *columns, last_revision, last_action = row
    if columns[1] is None:
        ensure_unknown(customer_id, last_action)
        return None
    customer = read_customer_row(tuple(columns))
    if customer.revision != last_revision:
        raise StorageUnavailable(f"the row of customer {customer_id} does not match its last event")
    return customer


def make_event_row(event: FreezeEvent) -> Row:
    """The values of EVENT_COLUMNS."""
    values = [getattr(event, name) for name in EVENT_FIELDS]
    return tuple(to_microseconds(value) if isinstance(value, datetime) else value for value in values)


def read_event_row(row: Row) -> FreezeEvent:
    """An event from EVENT_COLUMNS. Raises ValueError."""
    stored = dict(zip(EVENT_FIELDS, row, strict=True))
    read = {name: convert(stored[name]) for name, convert in _EVENT_CONVERSIONS.items() if stored[name] is not None}
    return FreezeEvent(**{**stored, **read})


def hash_event_row(previous_hash: str, row: Row) -> str:
    """The hash of an event from EVENT_COLUMNS. It equals `hash_event` of the event, in a third of the time."""
    *others, event_time, expires = row
    return hash_content(
        previous_hash, *others, _isoformat(event_time), None if expires is None else _isoformat(expires)
    )


def _isoformat(stored: int) -> str:
    return from_microseconds(stored).isoformat(timespec="microseconds")


def read_code_row(row: Row) -> SentCode:
    """A verification code from CODE_COLUMNS."""
    code_id, digest, expires, tries = row
    return SentCode(code_id, digest, from_microseconds(expires), tries)


def make_entry_row(entry: AuditEntry) -> Row:
    """The values of ENTRY_COLUMNS."""
    note = entry.note
    partner = note.partner
    return (
        entry.sequence,
        note.principal,
        note.method,
        note.reason,
        note.subject,
        to_microseconds(note.note_time),
        note.omitted,
        *(make_partner_row(partner) if partner else (None, None, None)),
    )


def read_entry_row(row: Row) -> AuditEntry:
    """An entry of the audit log from ENTRY_COLUMNS."""
    sequence, principal, method, reason, subject, time, omitted, *partner = row
    made = None if partner == [None, None, None] else read_partner_row(tuple(partner))
    if made is not None and None in partner:
        raise ValueError(f"audit entry {sequence} has an incomplete partner")
    return AuditEntry(sequence, AuditNote(principal, method, reason, subject, from_microseconds(time), omitted, made))


def make_partner_row(partner: Partner) -> Row:
    """The values of PARTNER_COLUMNS."""
    return partner.partner_id, partner.verification_code_enabled, partner.verification_contact


def read_partner_row(row: Row) -> Partner:
    """A partner from PARTNER_COLUMNS."""
    partner_id, enabled, contact = row
    return Partner(partner_id, bool(enabled), contact)


def _stored(time: datetime | None) -> int | None:
    return None if time is None else to_microseconds(time)


def _read(stored: int | None) -> datetime | None:
    return None if stored is None else from_microseconds(stored)
