"""The server loop: one thread that takes all calls, answers checks in groups and gives other calls to thread pools. The
work of a method does not belong here: it is in the method's handler."""
