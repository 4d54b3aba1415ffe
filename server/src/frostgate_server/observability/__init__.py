"""Logging; this package knows nothing of the domain."""
