"""The chain of hashes that binds every event to all before it. Pure."""

import hashlib
import json

from .freezing import FreezeEvent

GENESIS = "0" * 64
"""The hash that the first event is chained to."""


def chained(previous_hash: str, event: FreezeEvent) -> str:
    """The hash of an event: SHA-256, in hexadecimal, over the hash of the one before and every field of this one.

    The form of this list is for ever: with another one, every chain that exists would be broken.
    """
    content = json.dumps(
        [
            previous_hash,
            event.revision,
            event.customer_id,
            event.partner_id,
            event.action,
            event.scope,
            event.state_before,
            event.state_after,
            event.reason,
            event.actor,
            event.request_id,
            event.event_time.isoformat(timespec="microseconds"),
            event.retention_expire_time and event.retention_expire_time.isoformat(timespec="microseconds"),
        ]
    )
    return hashlib.sha256(content.encode()).hexdigest()
