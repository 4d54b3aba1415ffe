"""Page tokens: where a listing goes on, bound to its filters."""

import base64
import binascii
import hashlib
import json
from typing import TypeVar

from .errors import PageTokenInvalid

_Key = TypeVar("_Key", str, int)


def token(filters: object, last: str | int) -> str:
    """A token for what comes after the item with the key `last`. The filters are any value with a faithful repr."""
    content = json.dumps([_bound(filters, last), last])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def after(token_: str, filters: object, kind: type[_Key]) -> _Key | None:
    """The key that the token goes on after; None for an empty token.

    Raises PageTokenInvalid for anything that `token` did not make with these filters.
    """
    if not token_:
        return None
    try:
        padding = "=" * (-len(token_) % 4)
        bound, last = json.loads(base64.b64decode(token_ + padding, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise PageTokenInvalid from error
    if not isinstance(last, kind) or bound != _bound(filters, last):
        raise PageTokenInvalid
    return last


def _bound(filters: object, last: str | int) -> str:
    return hashlib.sha256(repr((filters, last)).encode()).hexdigest()[:16]
