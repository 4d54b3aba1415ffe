"""Parameters and results of the storage interface."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Generic, TypeVar

from frostgate_server.domain.enums import FreezeState

_Item = TypeVar("_Item")
_Key = TypeVar("_Key", str, int)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Identifies a change: the caller who requested it, the method and the request id."""

    principal: str
    method: str
    request_id: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """An acknowledged change: a hash of the request, and the answer as the service serialized it."""

    fingerprint: str
    answer: str


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """Selects customers of a partner. `retention_expired` is evaluated at `now` (UTC), and is true at the exact end."""

    partner_id: str
    now: datetime
    freeze_state: FreezeState | None = None
    retention_expired: bool | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Selects events by customer, partners, revision and time. Times are UTC; the start is included, the end is not."""

    customer_id: str | None = None
    partner_ids: tuple[str, ...] | None = None
    after_revision: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item, _Key]):
    """Part of a listing. `last_key` is the key of the last row that was read, which need not be an item: the next page
    starts after it. It is None at the end of the listing."""

    items: list[_Item]
    last_key: _Key | None


class CountKind(IntEnum):
    """Counts for the limits of a partner: codes sent, failed tries, and attempts to send."""

    SENT = 1
    FAILED = 2
    TRIED = 3
