"""The chain of hashes that binds every event to all before it. Pure."""

import hashlib
import json
from dataclasses import astuple

from .freezing import FreezeEvent

GENESIS = "0" * 64
"""The hash that the first event is chained to."""


def chained(previous_hash: str, event: FreezeEvent) -> str:
    """The hash of an event: SHA-256, in hexadecimal, over the hash of the one before and every field of this one."""
    content = json.dumps([previous_hash, *astuple(event)], default=str)
    return hashlib.sha256(content.encode()).hexdigest()
