"""The options of the command line for settings, and the configuration that they give."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import shtab

from frostgate_server.config.configuration import Configuration
from frostgate_server.config.loading import CONFIG_VARIABLE, SettingsReading, configure, read_settings
from frostgate_server.config.settings import all_settings

Subcommands = argparse._SubParsersAction  # the type of add_subparsers has no public name
"""The subcommands of a parser, to which a command adds its own."""


def add_command(
    commands: "Subcommands[argparse.ArgumentParser]", name: str, run: Callable[[argparse.Namespace], None], doc: str
) -> argparse.ArgumentParser:
    """Adds a subcommand, which calls `run` with its options."""
    parser = commands.add_parser(name, help=doc, allow_abbrev=False)
    parser.set_defaults(command=run)
    return parser


def add_settings(parser: argparse.ArgumentParser, only: set[str] | None = None) -> None:
    """Adds --config and an option for each setting, or for those named in `only`."""
    complete_files(
        parser.add_argument("--config", metavar="FILE", help=f"a TOML file with settings ({CONFIG_VARIABLE})")
    )
    for setting in all_settings():
        if only is None or setting.name in only:
            doc = f"{setting.doc} Default: {setting.default or 'none'} ({setting.variable})".replace("%", "%%")
            if setting.is_switch:
                parser.add_argument(setting.flag, nargs="?", const="true", metavar="true|false", help=doc)
            else:
                option = parser.add_argument(setting.flag, metavar=setting.name.upper(), help=doc)
                if setting.names_file:
                    complete_files(option)


def complete_files(option: argparse.Action) -> None:
    """Lets shells complete the value of an option with names of files."""
    vars(option)["complete"] = shtab.FILE


def read_configuration(options: argparse.Namespace) -> Configuration:
    """The settings in force for these options. Raises StartupError.

    It does not print the warnings. A command without a log prints them by `print_warnings`.
    """
    return configure(*_sources(options))


def read_with_problems(options: argparse.Namespace) -> SettingsReading:
    """The settings for these options as far as they can be read, and the problems with the others."""
    return read_settings(*_sources(options))


def _sources(options: argparse.Namespace) -> tuple[Mapping[str, str], Mapping[str, str], Path | None]:
    """The flags, the environment, and the path of the file."""
    flags = {
        setting.name: value for setting in all_settings() if (value := getattr(options, setting.name, None)) is not None
    }
    file = options.config or os.environ.get(CONFIG_VARIABLE)
    return flags, os.environ, Path(file) if file else None


def print_warnings(configuration: Configuration) -> None:
    """Prints each warning as a line on stderr."""
    for warning in configuration.warnings:
        print(f"frostgate-server: warning: {warning}", file=sys.stderr)
