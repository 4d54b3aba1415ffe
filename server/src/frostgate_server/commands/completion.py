"""frostgate-server completion: prints a script with which a shell completes commands, options and names of files."""

import argparse
from functools import partial

import shtab

from .options import Subcommands, add_command


def add_completion_command(commands: "Subcommands[argparse.ArgumentParser]", whole: argparse.ArgumentParser) -> None:
    """Adds the command. `whole` is the parser of all commands."""
    parser = add_command(
        commands, "completion", partial(_completion, whole), "print a script for completion in a shell"
    )
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="the shell that loads the script")


def _completion(whole: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    print(shtab.complete(whole, shell=options.shell))
