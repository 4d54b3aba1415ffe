"""Consistency checks: before a start, and in the background by short reads of every tree; no call waits for them."""
