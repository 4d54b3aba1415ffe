"""The commands of frostgate-server: serve, rules, stats, completion, and those on a database."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from .commands.completion import add_completion_command
from .commands.database import add_database_commands
from .commands.rules import add_rules_command
from .commands.serve import add_serve_command
from .commands.stats import add_stats_command
from .domain.errors import StartupError
from .observability.one_line import on_one_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit status: 0, or 1 with one line on stderr that says why."""
    _ensure_standard_files()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        _ensure_encodable(words)
        options = _parser().parse_args(words)
        command: Callable[[argparse.Namespace], None] = options.command
        command(options)
    except (StartupError, OSError) as error:
        print(f"frostgate-server: {on_one_line(str(error))}", file=sys.stderr)
        return 1
    return 0


def _ensure_encodable(words: Sequence[str]) -> None:
    """Raises StartupError for an argument that is not in UTF-8: files and logs cannot hold it."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise StartupError(f"arguments must be in UTF-8, but one is {word!a}") from error


def _ensure_standard_files() -> None:
    """Opens stdin, stdout and stderr on /dev/null if they are closed.

    Otherwise the next opened files get their descriptors, and a child process with its own standard files loses them.
    """
    while (file := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="frostgate-server",
        description="A gRPC service that decides which operations are allowed for a frozen customer.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"frostgate-server {version('frostgate-server')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_serve_command(commands)
    add_rules_command(commands)
    add_database_commands(commands)
    add_stats_command(commands)
    add_completion_command(commands, parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
