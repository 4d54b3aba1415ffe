"""The names of callers: `spiffe://…`, `dns:…`, `sub:…`. A name has only one spelling."""

import re

LONGEST_SUBJECT = 256
LONGEST_SPIFFE_ID = 2048

_SPIFFE_ID = re.compile(r"spiffe://[a-z0-9._-]{1,255}(/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")


def is_spiffe_id(text: str) -> bool:
    """Whether it is the SPIFFE id of a workload, a trust domain and a path, in its only valid spelling."""
    return len(text) <= LONGEST_SPIFFE_ID and _SPIFFE_ID.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether it is the name of one host, in lower case and without a wildcard."""
    return _HOST.fullmatch(text) is not None


def is_subject(text: object) -> bool:
    """Whether a token's `sub` can be the name of a caller, also in a log and in an event."""
    return isinstance(text, str) and 1 <= len(text) <= LONGEST_SUBJECT and text.isprintable()


def is_principal(text: str) -> bool:
    """Whether a caller can have this name."""
    kind, _, name = text.partition(":")
    return is_spiffe_id(text) or (kind == "dns" and is_host(name)) or (kind == "sub" and is_subject(name))
