"""Values that callers of the storage interface pass and get."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Generic, TypeVar

from frostgate_server.domain.enums import FreezeState

_Item = TypeVar("_Item")
_Key = TypeVar("_Key", str, int)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Names a change by who asked for it, with which method and under which id."""

    principal: str
    method: str
    request_id: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A change that was answered OK: a hash of what was asked, and the answer, as the service wrote it."""

    fingerprint: str
    answer: str


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """Which customers of a partner. `retention_expired` is asked at `now` (UTC): at its very end it is expired."""

    partner_id: str
    now: datetime
    freeze_state: FreezeState | None = None
    retention_expired: bool | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: of a customer, of any of some partners. Times are UTC; the start is included, the end is not."""

    customer_id: str | None = None
    partner_ids: tuple[str, ...] | None = None
    after_revision: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item, _Key]):
    """Part of a listing. `last_key` is the key after which the listing goes on: of the last row that was looked at,
    which need not be an item. It is None at the end of the listing."""

    items: list[_Item]
    last_key: _Key | None


class CountKind(IntEnum):
    """What counts against the limits of a partner: codes sent, tries that failed, sendings that were tried."""

    SENT = 1
    FAILED = 2
    TRIED = 3
