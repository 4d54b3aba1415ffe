"""The store on SQLite. `claim_database` and `open_store` are its doors."""

from .claim import Claim
from .opening import claim_database, open_store

__all__ = ["Claim", "claim_database", "open_store"]
