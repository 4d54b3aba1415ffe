"""The metadata that a caller adds to each call."""

import re
from collections.abc import Iterable

_NAME = re.compile(r"[0-9a-z_.-]+")
_TEXT = re.compile(r"[!-~]([ -~]*[!-~])?")

Metadata = tuple[tuple[str, str | bytes], ...]
"""Names and values of headers. Values of names that end in -bin are bytes."""


def check_metadata(metadata: Iterable[tuple[str, str | bytes]]) -> Metadata:
    """Returns the metadata. Raises ValueError for a header that cannot be sent. The message does not show its value."""
    checked = tuple(metadata)
    for name, value in checked:
        if not _NAME.fullmatch(name) or name.startswith("grpc-"):
            raise ValueError(
                f"metadata: the name {name!r} must consist of the characters a-z 0-9 _ . - "
                "and must not begin with grpc-"
            )
        if name.endswith("-bin") and not isinstance(value, bytes):
            raise ValueError(f"metadata: the value of {name!r} must be bytes, since its name ends in -bin")
        if not name.endswith("-bin") and not (isinstance(value, str) and _TEXT.fullmatch(value)):
            raise ValueError(
                f"metadata: the value of {name!r} must be a string of printable ASCII without blanks around it. "
                "For bytes, end the name in -bin"
            )
    return checked
