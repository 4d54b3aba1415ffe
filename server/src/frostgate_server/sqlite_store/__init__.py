"""The store on SQLite. `claim_database`, `open_store`, `backup` and `recover` are its doors."""

from .backup import backup
from .claim import Claim
from .opening import claim_database, open_store
from .recovery import Recovered, recover

__all__ = ["Claim", "Recovered", "backup", "claim_database", "open_store", "recover"]
