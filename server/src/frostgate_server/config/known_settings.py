"""Settings of which some values could not be read: for a check that continues with the others."""

from collections.abc import Collection
from typing import Any

from .settings import Settings


class UnreadSetting(Exception):
    """The value of the requested setting could not be read."""


class KnownSettings:
    """Used instead of Settings. Raises UnreadSetting for a setting whose value could not be read."""

    def __init__(self, settings: Settings, unread: Collection[str]) -> None:
        """`unread` are names of settings."""
        self._settings = settings
        self._unread = unread

    def __getattr__(self, name: str) -> Any:
        """The value of a setting."""
        if name in self._unread:
            raise UnreadSetting(name)
        return getattr(self._settings, name)
