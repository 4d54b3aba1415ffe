"""The store on SQLite. `open_store` is its door."""

from .opening import open_store

__all__ = ["open_store"]
