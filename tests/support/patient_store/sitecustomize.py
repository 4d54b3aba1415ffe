"""Lets a change wait for a minute, in a server that is started with this directory in PYTHONPATH.

Some tests block changes until another event. On a loaded machine this takes longer than the wait of a store.
"""

from frostgate_server.storage.sqlite import connections, group_commit

group_commit.WRITE_TIMEOUT = connections.BUSY_TIMEOUT = 60.0
