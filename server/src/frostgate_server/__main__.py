"""The command line: frostgate-server serve, rules, audit, backup, verify, recover, disable-codes."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from .commands.database import add_database_commands
from .commands.rules import add_rules_command
from .commands.serve import add_serve_command
from .domain.errors import StartupError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command. Gives the exit status: 0, or 1 with one line on stderr that says why."""
    _ensure_standard_files()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        command(options)
    except (StartupError, OSError) as error:
        print(f"frostgate-server: {error}", file=sys.stderr)
        return 1
    return 0


def _ensure_standard_files() -> None:
    """Opens stdin, stdout and stderr where they were closed.

    Otherwise the next opened files get their descriptors, and a child process with its own standard files loses them.
    """
    while (file := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="frostgate-server", description="What may a frozen customer still do?", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"frostgate-server {version('frostgate-server')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_serve_command(commands)
    add_rules_command(commands)
    add_database_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
