"""Validation of requests: every field is checked, and one error names all invalid fields."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Self, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from frostgate_server.domain.enums import BillingMode, FreezeScope, FreezeState, Operation, VerificationAction
from frostgate_server.domain.errors import FieldViolation, InvalidFields
from frostgate_server.domain.partner import MASK, is_address

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE = 1000
LARGEST_BATCH = 1000
LONGEST_REASON = 256
LONGEST_RESOURCE_ID = 256
LONGEST_CODE = 64
LONGEST_CONTACT = 254

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_Word = TypeVar("_Word", FreezeScope, FreezeState, BillingMode, Operation, VerificationAction)

is_id = _ID.fullmatch
"""Whether a string is an id: a match, or None."""


class FieldValidator:
    """Checks the fields of one request, in a `with` block. Each method returns the field's value.

    The end of the block raises InvalidFields with all violations, if there are any.
    """

    def __init__(self) -> None:
        """Starts without violations."""
        self._wrong: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None and self._wrong:
            raise InvalidFields([FieldViolation(field, description) for field, description in self._wrong.items()])

    def wrong(self, field: str, description: str) -> None:
        """Records a violation of a field. A field may have more than one."""
        before = self._wrong.get(field)
        self._wrong[field] = f"{before}; {description}" if before else description

    def id(self, field: str, value: str) -> str:
        """A customer_id or partner_id: 1 to 64 of A-Z a-z 0-9 . _ -"""
        if not is_id(value):
            problem = "is empty" if not value else f"has {len(value)} characters" if len(value) > 64 else "has others"
            self.wrong(field, f"must be 1 to 64 of the characters A-Z a-z 0-9 . _ - but {problem}")
        return value

    def ids(self, field: str, values: Iterable[str], most: int = LARGEST_BATCH) -> list[str]:
        """1 to `most` customer_ids, each once."""
        ids = list(values)
        self.batch_size(field, len(ids), most)
        first_at: dict[str, int] = {}
        for place, value in enumerate(ids[:LARGEST_BATCH]):
            self.id(f"{field}[{place}]", value)
            if first_at.setdefault(value, place) != place:
                self.wrong(f"{field}[{place}]", f"must stand there once but is {field}[{first_at[value]}] again")
        return ids

    def batch_size(self, field: str, size: int, most: int = LARGEST_BATCH) -> None:
        """A batch has 1 to `most` items."""
        if not 1 <= size <= most:
            self.wrong(field, describe_batch_size(most, size))

    def word(self, field: str, number: int, words: type[_Word]) -> _Word:
        """An enum's value: one of its words, not UNSPECIFIED."""
        try:
            return words(number)
        except ValueError:
            problem = "is not set" if number == 0 else f"is the unknown number {number}"
            self.wrong(field, f"must be one of {_proto_names(words)} but {problem}")
            return next(iter(words))

    def reason(self, field: str, value: str) -> str:
        """A reason, trimmed: 1 to 256 characters, no control characters."""
        trimmed = value.strip()
        if not 1 <= len(trimmed) <= LONGEST_REASON:
            self.wrong(field, f"must have 1 to {LONGEST_REASON} characters after trimming but has {len(trimmed)}")
        control = next(
            (place for place, c in enumerate(trimmed[:LONGEST_REASON]) if unicodedata.category(c) == "Cc"), None
        )
        if control is not None:
            self.wrong(field, f"must have no control characters but has U+{ord(trimmed[control]):04X} at {control}")
        return trimmed

    def request_id(self, field: str, value: str) -> str:
        """A UUID in lower case, or an empty string for none."""
        folded = value.lower()
        if folded and not _UUID.fullmatch(folded):
            self.wrong(field, "must be a UUID such as 123e4567-e89b-12d3-a456-426614174000, or left out")
        return folded

    def code(self, field: str, value: str) -> str:
        """A verification code as it was typed, trimmed: at most 64 characters, so that no long text is hashed."""
        if len(value) > LONGEST_CODE:
            self.wrong(field, f"must have at most {LONGEST_CODE} characters but has {len(value)}")
        return value.strip()

    def contact(self, field: str, value: str) -> str:
        """An e-mail address, or an empty string for none. An address that was masked for an answer is invalid."""
        if MASK in value:
            self.wrong(field, "must be a whole e-mail address but is a masked one")
        elif value and (len(value) > LONGEST_CONTACT or not is_address(value)):
            self.wrong(
                field, f"must be an e-mail address of at most {LONGEST_CONTACT} characters, such as a@example.org"
            )
        return value

    def mask(self, field: str, paths: Sequence[str], known: Sequence[str]) -> set[str]:
        """The paths of a field mask: at least one of the known paths, or * for all."""
        for path in paths:
            if path not in {*known, "*"}:
                self.wrong(field, f"must name fields of {', '.join(known)}, or *, but names {path[:64]!r}")
                break
        if not paths:
            self.wrong(field, f"must name at least one of {', '.join(known)}, or *")
        return set(known) if "*" in paths else set(paths)

    def resource_id(self, field: str, value: str) -> str:
        """A name for the logs: at most 256 bytes."""
        size = len(value.encode())
        if size > LONGEST_RESOURCE_ID:
            self.wrong(field, f"must have at most {LONGEST_RESOURCE_ID} bytes but has {size}")
        return value

    def revision(self, field: str, value: int) -> int:
        """A revision: not negative."""
        if value < 0:
            self.wrong(field, f"must not be negative but is {value}")
        return value

    def made_revision(self, field: str, value: int) -> int:
        """A revision that a change made: greater than 0."""
        if value <= 0:
            self.wrong(field, f"must be greater than 0 but is {value}")
        return value

    def page_size(self, field: str, value: int) -> int:
        """The size of a page: 50 if it is 0, and at most 1,000."""
        if value < 0:
            self.wrong(field, f"must not be negative but is {value}")
        return min(value or DEFAULT_PAGE_SIZE, LARGEST_PAGE)

    def time(self, field: str, value: Timestamp) -> datetime | None:
        """A time, UTC, rounded up to microseconds. Stored times have whole microseconds, so comparisons stay exact."""
        try:
            return value.ToDatetime(tzinfo=UTC) + timedelta(microseconds=value.nanos % 1000 > 0)
        except (ValueError, OverflowError):
            self.wrong(field, "must be a time between the years 1 and 9999, with 0 to 999,999,999 nanoseconds")
            return None

    def ordered(self, first: str, start: datetime | None, second: str, end: datetime | None) -> None:
        """Checks that the first of two times is before the second."""
        if start is not None and end is not None and start >= end:
            self.wrong(second, f"must be later than {first} but is {end:%Y-%m-%dT%H:%M:%S.%fZ}")


def describe_batch_size(most: int, has: int | str) -> str:
    """Describes the violation of a batch of 1 to `most` items that `has` fewer or more."""
    items = "1 item" if most == 1 else f"1 to {most} items"
    return f"must have {items} but has {has}"


@cache
def _proto_names(words: type[_Word]) -> str:
    """The names of the values in the proto, as grpcurl accepts them: such as FREEZE_SCOPE_ACCOUNT."""
    prefix = re.sub(r"(?<=.)(?=[A-Z])", "_", words.__name__).upper()
    return ", ".join(f"{prefix}_{word.name}" for word in words)
