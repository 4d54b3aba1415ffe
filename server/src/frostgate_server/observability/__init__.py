"""Logging; this package does not use the domain."""
