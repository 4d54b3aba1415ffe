"""The subcommands of frostgate-server: each reads its settings, calls the packages below and prints the result; none
has rules of its own."""
