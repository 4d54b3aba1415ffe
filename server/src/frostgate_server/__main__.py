"""The command line: frostgate-server serve, rules, audit, backup, verify, recover, disable-codes."""

import argparse
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from frostgate_server.config.settings import Configuration, all_settings, configure
from frostgate_server.domain.audit_entry import as_json
from frostgate_server.domain.errors import FrostgateError, StartupError
from frostgate_server.services.partner_service import disable_codes

from .policy import loader as policy_file
from .policy import table as rules_table

_STDOUT = 1
"""Its descriptor: `sys.stdout` is None in a process that was started with it closed."""


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
    """Opens stdin, stdout and stderr where they were closed: what is opened next would take their place, and be lost
    where another process is given its own."""
    while (file := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="frostgate-server", description="What may a frozen customer still do?", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"frostgate-server {version('frostgate-server')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None], doc: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=doc, allow_abbrev=False)
        one.set_defaults(command=run)
        return one

    serve = command("serve", _serve, "serve over gRPC until SIGTERM or SIGINT")
    serve.add_argument("--print-config", action="store_true", help="print the settings in force, and do not serve")
    _add_settings(serve, only=None)
    rules = command("rules", _rules, "print the decision table")
    rules.add_argument("--format", choices=["text", "json"], default="text", help="for a person, or for a program")
    _add_settings(rules, only={"policy", "unknown_customer"})
    audit = command("audit", _audit, "print the audit log: what callers were refused, and what was done to partners")
    audit.add_argument("--after", metavar="NUMBER", type=int, default=0, help="only entries with a higher number")
    _add_settings(audit, only={"database"})
    backup = command("backup", _backup, "copy the database, also while it is served")
    backup.add_argument("--to", metavar="FILE", required=True, type=Path, help="the copy, a file that does not exist")
    _add_settings(backup, only={"database"})
    verify = command("verify", _verify, "hold all that a database says against all else that it says")
    verify.add_argument("--heads", metavar="FILE", type=Path, help="heads that were exported earlier")
    _add_settings(verify, only={"database"})
    disable = command("disable-codes", _disable_codes, "disable a partner's verification codes, while nobody serves")
    disable.add_argument("--partner", metavar="ID", required=True, help="whose codes reach nobody")
    _add_settings(disable, only={"database"})
    recover = command("recover", _recover, "take up a database after a loss: restored, or short of its tail")
    _add_settings(recover, only={"database"})
    return parser


def _add_settings(parser: argparse.ArgumentParser, only: set[str] | None) -> None:
    parser.add_argument("--config", metavar="FILE", help="a TOML file with settings (FROSTGATE_CONFIG)")
    for setting in all_settings():
        if only is None or setting.name in only:
            doc = f"{setting.doc} Default: {setting.default or 'none'} ({setting.variable})".replace("%", "%%")
            if setting.is_switch:
                parser.add_argument(setting.flag, nargs="?", const="true", metavar="true|false", help=doc)
            else:
                parser.add_argument(setting.flag, metavar=setting.name.upper(), help=doc)


def _configuration(options: argparse.Namespace) -> Configuration:
    flags = {
        setting.name: value for setting in all_settings() if (value := getattr(options, setting.name, None)) is not None
    }
    file = options.config or os.environ.get("FROSTGATE_CONFIG")
    return configure(flags, os.environ, Path(file) if file else None)


def _serve(options: argparse.Namespace) -> None:
    configuration = _configuration(options)
    if options.print_config:
        print(configuration.shown(), end="")
        return
    from frostgate_server.commands.serve import serve  # noqa: PLC0415 - the other commands need no database to start

    serve(configuration, _write_line)


def _write_line(line: str) -> None:
    """Writes a line to stdout. Raises OSError if nobody reads it, rather than wait for a reader."""
    _, writable, _ = select.select([], [_STDOUT], [], 1.0)
    if not writable:
        raise BlockingIOError("nobody reads stdout")
    os.write(_STDOUT, f"{line}\n".encode())


def _rules(options: argparse.Namespace) -> None:
    settings = _configuration(options).settings
    policy = policy_file.load(settings.policy, settings.unknown_customer)
    print(rules_table.as_json(policy) if options.format == "json" else rules_table.as_text(policy), end="")


def _audit(options: argparse.Namespace) -> None:
    from frostgate_server.storage.sqlite.admin.audit_log import audit_entries  # noqa: PLC0415 - the other commands need no database to start

    for entry in audit_entries(_configuration(options).settings.database, options.after):
        print(as_json(entry))


def _backup(options: argparse.Namespace) -> None:
    from frostgate_server.storage.sqlite.admin.backup import backup  # noqa: PLC0415 - the other commands need no database to start

    revision = backup(_configuration(options).settings.database, options.to)
    print(f"{options.to} holds the database as it was at revision {revision}")


def _verify(options: argparse.Namespace) -> None:
    from frostgate_server.storage.sqlite.admin.verify import read_heads, verify  # noqa: PLC0415 - the other commands need no database to start

    database = _configuration(options).settings.database
    exported = read_heads(options.heads) if options.heads else []
    verified = verify(database, exported)
    print(
        f"{database} fits: {verified.customers} customers, {verified.events} events up to revision "
        f"{verified.head.revision}, {verified.audit_entries} audit entries, and {verified.known_heads} known heads "
        f"({len(exported)} of them exported)"
    )


def _recover(options: argparse.Namespace) -> None:
    from frostgate_server.storage.sqlite.admin.recover import recover  # noqa: PLC0415 - the other commands need no database to start

    database = _configuration(options).settings.database
    recovered = recover(database)
    print(
        f"{database} holds {recovered.customers} customers and {recovered.events} events "
        f"up to revision {recovered.last_revision}, and goes on from revision {recovered.floor}"
    )


def _disable_codes(options: argparse.Namespace) -> None:
    from frostgate_server.storage.sqlite.opening import claim_database, ensure_exists, open_store  # noqa: PLC0415 - as above

    database = _configuration(options).settings.database
    ensure_exists(database)
    with closing(claim_database(database, create=False)), closing(open_store(database, create=False)) as store:
        try:
            disable_codes(store, options.partner)
        except FrostgateError as error:
            raise StartupError(getattr(error, "detail", "") or str(error)) from error
    print(f"partner {options.partner} needs no verification codes from now on")


if __name__ == "__main__":
    sys.exit(main())
