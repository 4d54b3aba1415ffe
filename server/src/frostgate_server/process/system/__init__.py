"""Functions that need Linux: find the processes that listen on an address, and end a process when its parent ends."""
