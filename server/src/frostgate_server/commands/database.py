"""Commands on a database: audit, backup, verify, disable-codes, migrate, restore, recover."""

import argparse
from pathlib import Path

from frostgate_server.domain.audit_entry import as_json
from frostgate_server.domain.errors import FrostgateError, StartupError
from frostgate_server.observability.counted import counted
from frostgate_server.services.partner_service import disable_codes
from frostgate_server.storage.backend import RecoverResult, open_offline
from frostgate_server.storage.backends import find_backend
from frostgate_server.storage.head import read_heads

from .options import Subcommands, add_command, add_settings, complete_files, print_warnings, read_configuration

_DATABASE = {"database"}


def add_database_commands(commands: "Subcommands[argparse.ArgumentParser]") -> None:
    """Adds the commands."""
    audit = add_command(
        commands, "audit", _audit, "print the audit log: changes of partners, sent codes, refused calls"
    )
    audit.add_argument("--after", metavar="NUMBER", type=int, default=0, help="only entries with a higher number")
    add_settings(audit, _DATABASE)
    copy = add_command(commands, "backup", _backup, "copy the database, also while it is served")
    complete_files(
        copy.add_argument("--to", metavar="FILE", required=True, type=Path, help="the new file for the copy")
    )
    add_settings(copy, _DATABASE)
    check = add_command(commands, "verify", _verify, "check a database or a backup for consistency")
    complete_files(
        check.add_argument(
            "--heads", metavar="FILE", type=Path, help="a file of exported heads: the history must contain them"
        )
    )
    add_settings(check, _DATABASE)
    disable = add_command(
        commands, "disable-codes", _disable_codes, "disable the verification codes of a partner, while no server runs"
    )
    disable.add_argument("--partner", metavar="ID", required=True, help="the id of the partner")
    add_settings(disable, _DATABASE)
    migrating = add_command(
        commands, "migrate", _migrate, "migrate the schema, after a verified backup, while no server runs"
    )
    complete_files(
        migrating.add_argument("--backup", metavar="FILE", required=True, type=Path, help="the new file for the backup")
    )
    add_settings(migrating, _DATABASE)
    restoring = add_command(
        commands, "restore", _restore, "create a database from a backup (the backup does not change)"
    )
    complete_files(
        restoring.add_argument("backup", metavar="BACKUP", type=Path, help="a file that frostgate-server backup wrote")
    )
    add_settings(restoring, _DATABASE)
    take_up = add_command(
        commands,
        "recover",
        _recover,
        "make a database usable after it lost its last changes or its -head file",
    )
    add_settings(take_up, _DATABASE)


def _audit(options: argparse.Namespace) -> None:
    for entry in find_backend(_database(options)).list_audit_entries(options.after):
        print(as_json(entry))


def _backup(options: argparse.Namespace) -> None:
    revision = find_backend(_database(options)).back_up(options.to)
    print(f"{options.to} is a backup of the database at revision {revision}")


def _verify(options: argparse.Namespace) -> None:
    database = _database(options)
    exported = read_heads(options.heads) if options.heads else []
    verified = find_backend(database).verify(exported)
    print(
        f"{database} is consistent: {counted(verified.customers, 'customer')}, {counted(verified.events, 'event')} up "
        f"to revision {verified.head.revision}, {counted(verified.audit_entries, 'audit entry', 'audit entries')}, and "
        f"{counted(verified.known_heads, 'known head')} ({len(exported)} exported)"
    )


def _migrate(options: argparse.Namespace) -> None:
    database = _database(options)
    applied = find_backend(database).migrate(options.backup).migrations
    if applied:
        print(f"{options.backup} is a backup of {database}, and {database} is migrated: {', '.join(applied)}")
    else:
        print(f"{database} is up to date, and {options.backup} was not written")


def _restore(options: argparse.Namespace) -> None:
    database = _database(options)
    print(_taken_up(database, find_backend(database).restore(options.backup)))


def _recover(options: argparse.Namespace) -> None:
    database = _database(options)
    print(_taken_up(database, find_backend(database).recover()))


def _taken_up(database: Path, result: RecoverResult) -> str:
    return (
        f"{database} contains {counted(result.customers, 'customer')} and {counted(result.events, 'event')} "
        f"up to revision {result.last_revision}, and continues from revision {result.floor}"
    )


def _disable_codes(options: argparse.Namespace) -> None:
    with open_offline(find_backend(_database(options))) as store:
        try:
            disable_codes(store, options.partner)
        except FrostgateError as error:
            raise StartupError(getattr(error, "detail", "") or str(error)) from error
    print(f"partner {options.partner} needs no verification codes from now on")


def _database(options: argparse.Namespace) -> Path:
    configuration = read_configuration(options)
    print_warnings(configuration)
    return configuration.settings.database
