"""Page tokens: where a listing goes on, bound to its filters."""

import base64
import hashlib
import json
from typing import Any, TypeVar

from frostgate_server.domain.errors import PageTokenInvalid

_Key = TypeVar("_Key", str, int)

LARGEST_REVISION = 2**63 - 1

_LONGEST = 300
"""More characters than any token of ours has."""


def token(filters: object, last: str | int) -> str:
    """A token for what comes after the item with the key `last`. The filters are any value with a faithful repr."""
    content = json.dumps([_bound(filters, last), last])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def after(token_: str, filters: object, kind: type[_Key]) -> _Key | None:
    """The key that the token goes on after; None for an empty token.

    Raises PageTokenInvalid for a token of other filters and for garbage. A token is no secret and can be made up, but
    it gives nothing that its filters do not.
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


def _bound(filters: object, last: str | int) -> str:
    return hashlib.sha256(repr((filters, last)).encode()).hexdigest()[:16]
