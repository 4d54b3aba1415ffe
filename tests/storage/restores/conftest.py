"""The use cases on a clock that a test moves."""

from storage.clocks.conftest import services

__all__ = ["services"]
