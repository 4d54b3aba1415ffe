"""The store on SQLite.

Its doors: `claim_database` and `prepare_store` once for a server, `join_store` in each of its processes, `open_store`
for who is alone, after `ensure_exists` where none is to be made, and `audit_entries`, `backup`, `recover` and `verify`.
"""

from .audit_log import audit_entries
from .backup import backup
from .claim import Claim
from .opening import (
    FILE_ENDINGS,
    Prepared,
    claim_database,
    ensure_exists,
    join_store,
    make_name_durable,
    open_store,
    prepare_store,
)
from .recovery import Recovered, recover
from .verification import Verified, current_head, read_heads, remembered_heads, verify

__all__ = [
    "FILE_ENDINGS",
    "Claim",
    "Prepared",
    "Recovered",
    "Verified",
    "audit_entries",
    "backup",
    "claim_database",
    "current_head",
    "ensure_exists",
    "join_store",
    "make_name_durable",
    "open_store",
    "prepare_store",
    "read_heads",
    "recover",
    "remembered_heads",
    "verify",
]
