"""On the path of a server, makes it commit each change alone: what group commit is measured against."""

from frostgate_server.storage.sqlite import group_commit

group_commit.GROUP_PERIOD = -1.0
