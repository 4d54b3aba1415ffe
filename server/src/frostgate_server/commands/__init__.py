"""The subcommands of frostgate-server: each reads its settings, calls the packages below and prints the result.
Business rules do not belong here."""
