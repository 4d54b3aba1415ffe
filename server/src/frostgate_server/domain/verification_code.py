"""Verification codes: what one is good for, how it is made, kept and compared. Pure.

A code is eight digits for one use. Only a digest of it is kept, under a key that is not in the database, over all that
it was sent for: a code for something else does not fit. Whoever reads the database learns nothing from the digest.
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
"""How far back sendings and failures count."""


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """What a code may take: how long it is good, how many tries it has, and, of a partner within an hour, how many may
    be sent and how many tries may fail."""

    lifetime: timedelta = timedelta(minutes=5)
    tries: int = 5
    failures: int = 10
    sendings: int = 5


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a code is good for: the customers of a batch in the order of their ids, none for the partner itself."""

    partner_id: str
    action: VerificationAction
    customer_ids: tuple[str, ...] = ()
    scope: FreezeScope | None = None

    @classmethod
    def of(
        cls, partner_id: str, action: VerificationAction, customer_ids: Iterable[str], scope: FreezeScope | None
    ) -> "Purpose":
        """The purpose, whatever order the customers stand in."""
        return cls(partner_id, action, tuple(sorted(customer_ids)), scope)


@dataclass(frozen=True, slots=True)
class SentCode:
    """A code as it is kept. `tries` are those that were begun."""

    code_id: str
    digest: str
    expire_time: datetime
    tries: int = 0

    def is_live(self, now: datetime, limits: CodeLimits) -> bool:
        """Whether it may still be tried."""
        return self.is_in_time(now, limits) and self.tries < limits.tries

    def is_in_time(self, now: datetime, limits: CodeLimits) -> bool:
        """Whether it has not expired. A code that would expire after a new one was made by a clock that was ahead."""
        return now < self.expire_time <= now + limits.lifetime


class CodeKey:
    """The secret under which digests are made."""

    def __init__(self, key: bytes) -> None:
        """Takes 32 bytes or more."""
        self._key = key

    def __repr__(self) -> str:
        return "CodeKey(...)"

    def digest(self, code_id: str, purpose: Purpose, code: str) -> str:
        """HMAC-SHA-256 over the code and all it is good for, in hexadecimal."""
        content = [code_id, purpose.partner_id, purpose.action, purpose.customer_ids, purpose.scope, code]
        return hmac.new(self._key, json.dumps(content).encode(), hashlib.sha256).hexdigest()

    def matches(self, sent: SentCode, purpose: Purpose, code: str) -> bool:
        """Whether a code is the one that was sent for this, found out in the same time whether it is or not."""
        return hmac.compare_digest(sent.digest, self.digest(sent.code_id, purpose, code))


def new_code() -> str:
    """Eight digits that nobody can foresee."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
