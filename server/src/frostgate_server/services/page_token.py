"""Page tokens: the place where a listing continues, bound to its filters.

A token holds a hash over a text of the filters. The form of that text never changes, as callers may use a token after
an upgrade.
"""

import base64
import hashlib
import json
from datetime import datetime
from typing import Any, TypeVar

from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import PageTokenInvalid
from frostgate_server.storage.queries import EventFilter

_Key = TypeVar("_Key", str, int)

LARGEST_REVISION = 2**63 - 1

_STATE_NAMES = {
    FreezeState.NORMAL: "NORMAL",
    FreezeState.ACCOUNT_FROZEN: "ACCOUNT_FROZEN",
    FreezeState.ACCOUNT_AND_RESOURCES_FROZEN: "ACCOUNT_AND_RESOURCES_FROZEN",
}

_LONGEST = 300
"""More characters than any valid token has."""


def customer_filters(partner_id: str, freeze_state: FreezeState | None, retention_expired: bool | None) -> str:
    """The text of the filters of a listing of customers."""
    state = "None" if freeze_state is None else f"<FreezeState.{_STATE_NAMES[freeze_state]}: {freeze_state:d}>"
    return f"('{partner_id}', {state}, {retention_expired})"


def event_filters(asked: EventFilter, seen: EventFilter) -> str:
    """The text of the filters of a listing of events: those of the request, and those for what the caller may see."""
    return f"({_event_filter(asked)}, {_event_filter(seen)})"


def token(filters: str, last: str | int | None) -> str:
    """A token for the items after the key `last`, or "" if `last` is None. `filters` is the text of the filters."""
    if last is None:
        return ""
    content = json.dumps([_bound(filters, last), last])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def after(token_: str, filters: str, kind: type[_Key]) -> _Key | None:
    """The key after which the token continues. None for an empty token.

    Raises PageTokenInvalid for a token of other filters and for a malformed token. A token is not a secret and can be
    forged, but it gives access to nothing that its filters do not give.
    """
    if not token_:
        return None
    if len(token_) > _LONGEST:
        raise PageTokenInvalid
    try:
        padding = "=" * (-len(token_) % 4)
        content: list[Any] = json.loads(base64.b64decode(token_ + padding, altchars=b"-_", validate=True))
        bound, last = content
    except (ValueError, TypeError, RecursionError) as error:
        raise PageTokenInvalid from error
    if type(last) is not kind or bound != _bound(filters, last):
        raise PageTokenInvalid
    if type(last) is int and not 0 < last <= LARGEST_REVISION:
        raise PageTokenInvalid
    typed: _Key = last
    return typed


def _bound(filters: str, last: str | int) -> str:
    key = f"'{last}'" if isinstance(last, str) else str(last)
    return hashlib.sha256(f"({filters}, {key})".encode(errors="replace")).hexdigest()[:16]


def _event_filter(wanted: EventFilter) -> str:
    customer_id = "None" if wanted.customer_id is None else f"'{wanted.customer_id}'"
    return (
        f"EventFilter(customer_id={customer_id}, partner_ids={_partner_ids(wanted.partner_ids)}, "
        f"after_revision={wanted.after_revision}, start_time={_time(wanted.start_time)}, "
        f"end_time={_time(wanted.end_time)})"
    )


def _partner_ids(partner_ids: tuple[str, ...] | None) -> str:
    if partner_ids is None:
        return "None"
    quoted = ", ".join(f"'{partner_id}'" for partner_id in partner_ids)
    return f"({quoted},)" if len(partner_ids) == 1 else f"({quoted})"


def _time(time: datetime | None) -> str:
    """A time, UTC. A second or microsecond of 0 at its end is left out."""
    if time is None:
        return "None"
    parts = [time.year, time.month, time.day, time.hour, time.minute, time.second, time.microsecond]
    while len(parts) > 5 and parts[-1] == 0:
        parts.pop()
    return f"datetime.datetime({', '.join(map(str, parts))}, tzinfo=datetime.timezone.utc)"
