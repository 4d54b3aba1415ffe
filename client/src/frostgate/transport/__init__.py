"""Connections to a server: how they are made, used and closed. Which calls there are, this package does not know."""
