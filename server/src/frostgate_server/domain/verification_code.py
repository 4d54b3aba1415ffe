"""Verification codes: their purpose, and how they are made, stored and compared. Pure.

A code has eight digits and is used once. Only a digest of it is stored. The digest covers the code and its purpose, so
a code is not valid for another purpose. Its key is not in the database, so the digest does not disclose the code.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .enums import FreezeScope, VerificationAction

DIGITS = 8

WINDOW = timedelta(hours=1)
"""The time for which a sent code or a failed try counts."""


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """The limits of codes: the lifetime and the tries of a code, and, for each partner within an hour, the failed tries
    and the codes that are sent."""

    lifetime: timedelta = timedelta(minutes=5)
    tries: int = 5
    failures: int = 10
    sendings: int = 5


@dataclass(frozen=True, slots=True)
class Purpose:
    """The purpose of a code. The customers are sorted by id. An update of the partner itself has none."""

    partner_id: str
    action: VerificationAction
    customer_ids: tuple[str, ...] = ()
    scope: FreezeScope | None = None

    @classmethod
    def of(
        cls, partner_id: str, action: VerificationAction, customer_ids: Iterable[str], scope: FreezeScope | None
    ) -> "Purpose":
        """The purpose, with the customers in any order."""
        return cls(partner_id, action, tuple(sorted(customer_ids)), scope)


@dataclass(frozen=True, slots=True)
class SentCode:
    """The stored form of a code. `tries` is the number of tries that were begun."""

    code_id: str
    digest: str
    expire_time: datetime
    tries: int = 0

    def is_live(self, now: datetime, limits: CodeLimits) -> bool:
        """Whether the code may still be tried."""
        return self.is_in_time(now, limits) and self.tries < limits.tries

    def is_in_time(self, now: datetime, limits: CodeLimits) -> bool:
        """Whether the code has not expired. One that expires later than a new code is invalid: the clock was ahead."""
        return now < self.expire_time <= now + limits.lifetime


class CodeKey:
    """The secret key of the digests."""

    def __init__(self, key: bytes) -> None:
        """Takes 32 bytes or more."""
        self._key = key

    def __repr__(self) -> str:
        return "CodeKey(...)"

    def digest(self, code_id: str, purpose: Purpose, code: str) -> str:
        """HMAC-SHA-256 over the code and its purpose, in hexadecimal."""
        content = [code_id, purpose.partner_id, purpose.action, purpose.customer_ids, purpose.scope, code]
        return hmac.new(self._key, json.dumps(content).encode(), hashlib.sha256).hexdigest()

    def matches(self, sent: SentCode, purpose: Purpose, code: str) -> bool:
        """Whether a code is the one that was sent for this purpose. The comparison takes constant time."""
        return hmac.compare_digest(sent.digest, self.digest(sent.code_id, purpose, code))


def new_code() -> str:
    """Eight unpredictable digits."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
