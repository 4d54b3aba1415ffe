"""Consistency checks: before a start, and in the background by short reads of every table and index; no call waits for
them."""
