"""The server loop: one thread that takes all calls, answers checks in groups and gives all else to pools. Knows calls
and turns; what a method does is its handler's."""
