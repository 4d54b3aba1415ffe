"""Makes, uses and closes connections to a server. This package does not depend on the calls of frostgate."""
