"""Logs changes: one line for each change of a customer or partner, after it is committed."""

import logging
from collections.abc import Sequence

from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.customer import FreezeEvent
from frostgate_server.observability.log_fields import fields

_log = logging.getLogger(__name__)


def log_events(method: str, events: Sequence[FreezeEvent]) -> None:
    """Logs the events of a committed change, one line each. All values are validated, so no text needs an escape."""
    if not _log.isEnabledFor(logging.INFO):
        return
    for event in events:
        _log.info(
            "%s: customer %s of %s is %s at revision %d, by %s%s",
            method,
            event.customer_id,
            event.partner_id,
            event.state_after.name if event.state_after is not None else "unknown",
            event.revision,
            event.actor,
            _with_id(event.request_id),
            extra=fields(
                method=method,
                customer_id=event.customer_id,
                partner_id=event.partner_id,
                action=event.action.name,
                freeze_state=event.state_after.name if event.state_after is not None else None,
                revision=event.revision,
                actor=event.actor,
                request_id=event.request_id,
            ),
        )


def log_partners(notes: Sequence[AuditNote]) -> None:
    """Logs committed updates of partners. Partners have no revision, and their contacts are not logged."""
    for note in notes:
        _log.info(
            "%s: partner %s is updated, by %s",
            note.method,
            note.subject,
            note.principal,
            extra=fields(method=note.method, partner_id=note.subject, actor=note.principal),
        )


def _with_id(request_id: str) -> str:
    return f", request_id {request_id}" if request_id else ""
