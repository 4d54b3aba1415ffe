"""Offline commands on an SQLite database: verify, back up, migrate, restore, recover, statistics, the audit log; no
client's call runs this code."""
