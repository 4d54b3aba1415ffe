"""frostgate-server rules: prints the decision table."""

import argparse

from frostgate_server.policy import loader, table

from .options import Subcommands, add_command, add_settings, print_warnings, read_configuration


def add_rules_command(commands: "Subcommands[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = add_command(commands, "rules", _rules, "print the decision table")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="text for people, json for programs")
    add_settings(parser, only={"policy", "unknown_customer"})


def _rules(options: argparse.Namespace) -> None:
    configuration = read_configuration(options)
    print_warnings(configuration)
    settings = configuration.settings
    policy = loader.load(settings.policy, settings.unknown_customer)
    print(table.as_json(policy) if options.format == "json" else table.as_text(policy), end="")
