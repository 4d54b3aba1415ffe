"""Offline commands on an SQLite database: verify, back up, recover, read the audit log; no client's call runs this
code."""
