"""Commands on a database: audit, backup, verify, disable-codes, recover."""

import argparse
from pathlib import Path

from frostgate_server.domain.audit_entry import as_json
from frostgate_server.domain.errors import FrostgateError, StartupError
from frostgate_server.services.partner_service import disable_codes
from frostgate_server.storage.backend import open_offline
from frostgate_server.storage.backends import find_backend
from frostgate_server.storage.head import read_heads

from .options import Subcommands, add_command, add_settings, read_configuration

_DATABASE = {"database"}


def add_database_commands(commands: "Subcommands[argparse.ArgumentParser]") -> None:
    """Adds the commands."""
    audit = add_command(
        commands, "audit", _audit, "print the audit log: what callers were refused, and what was done to partners"
    )
    audit.add_argument("--after", metavar="NUMBER", type=int, default=0, help="only entries with a higher number")
    add_settings(audit, _DATABASE)
    copy = add_command(commands, "backup", _backup, "copy the database, also while it is served")
    copy.add_argument("--to", metavar="FILE", required=True, type=Path, help="the copy, a file that does not exist")
    add_settings(copy, _DATABASE)
    check = add_command(commands, "verify", _verify, "check a database for consistency")
    check.add_argument(
        "--heads", metavar="FILE", type=Path, help="earlier exported heads, which the history must contain"
    )
    add_settings(check, _DATABASE)
    disable = add_command(
        commands, "disable-codes", _disable_codes, "disable the verification codes of a partner, while no server runs"
    )
    disable.add_argument("--partner", metavar="ID", required=True, help="the partner whose codes cannot be received")
    add_settings(disable, _DATABASE)
    take_up = add_command(
        commands,
        "recover",
        _recover,
        "make a database usable after a loss: restored from a backup, or without its last changes",
    )
    add_settings(take_up, _DATABASE)


def _audit(options: argparse.Namespace) -> None:
    for entry in find_backend(_database(options)).list_audit_entries(options.after):
        print(as_json(entry))


def _backup(options: argparse.Namespace) -> None:
    revision = find_backend(_database(options)).back_up(options.to)
    print(f"{options.to} holds the database as it was at revision {revision}")


def _verify(options: argparse.Namespace) -> None:
    database = _database(options)
    exported = read_heads(options.heads) if options.heads else []
    verified = find_backend(database).verify(exported)
    print(
        f"{database} fits: {verified.customers} customers, {verified.events} events up to revision "
        f"{verified.head.revision}, {verified.audit_entries} audit entries, and {verified.known_heads} known heads "
        f"({len(exported)} of them exported)"
    )


def _recover(options: argparse.Namespace) -> None:
    database = _database(options)
    recovered = find_backend(database).recover()
    print(
        f"{database} holds {recovered.customers} customers and {recovered.events} events "
        f"up to revision {recovered.last_revision}, and goes on from revision {recovered.floor}"
    )


def _disable_codes(options: argparse.Namespace) -> None:
    with open_offline(find_backend(_database(options))) as store:
        try:
            disable_codes(store, options.partner)
        except FrostgateError as error:
            raise StartupError(getattr(error, "detail", "") or str(error)) from error
    print(f"partner {options.partner} needs no verification codes from now on")


def _database(options: argparse.Namespace) -> Path:
    return read_configuration(options).settings.database
