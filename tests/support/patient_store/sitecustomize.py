"""Lets a change wait for a minute, in a server that is started with this directory in PYTHONPATH.

Tests block changes until something else has happened. On a loaded machine this takes longer than a store waits.
"""

from frostgate_server.storage.sqlite import connections, group_commit

group_commit.WRITE_TIMEOUT = connections.BUSY_TIMEOUT = 60.0
