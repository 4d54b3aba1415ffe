"""The store on SQLite. `claim_database`, `open_store` and `recover` are its doors."""

from .claim import Claim
from .opening import claim_database, open_store
from .recovery import Recovered, recover

__all__ = ["Claim", "Recovered", "claim_database", "open_store", "recover"]
