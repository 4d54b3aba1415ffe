"""Administrative commands on an SQLite database: verify, back up, migrate, restore, recover, statistics, audit log; no
call of a client runs this code."""
