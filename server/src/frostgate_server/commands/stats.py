"""frostgate-server stats: prints the contents of a database and its growth."""

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.backends import find_backend
from frostgate_server.storage.backup_directory import BackupDirectory, StoredBackup
from frostgate_server.storage.stats import DatabaseStats

from .options import Subcommands, add_command, add_settings, read_configuration


def add_stats_command(commands: "Subcommands[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = add_command(commands, "stats", _stats, "print the sizes, the row counts and the growth of a database")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="text for people, json for programs")
    add_settings(parser, {"database", "backup_directory"})


def _stats(options: argparse.Namespace) -> None:
    settings = read_configuration(options).settings
    stats = find_backend(settings.database).collect_stats()
    last = None if settings.backup_directory is None else _last_backup(settings.backup_directory)
    if options.format == "json":
        print(as_json(stats, last), end="")
        return
    print(as_text(stats), end="")
    if settings.backup_directory is not None:
        line = "none" if last is None else f"{last.time.isoformat()} at revision {last.revision}"
        print(f"\nlast backup: {line}")


def _last_backup(directory: Path) -> StoredBackup | None:
    try:
        return BackupDirectory(directory).find_newest()
    except OSError as error:
        raise StartupError(f"backup_directory {directory} cannot be read: {error.strerror or error}") from error


def as_json(stats: DatabaseStats, last_backup: StoredBackup | None) -> str:
    """The contents as one JSON object, with times in ISO format. `last_backup` is null if there is none."""
    contents = {**asdict(stats), "last_backup": None if last_backup is None else asdict(last_backup)}
    return json.dumps(contents, indent=2, default=datetime.isoformat) + "\n"


def as_text(stats: DatabaseStats) -> str:
    """Sections for a person, with bytes as numbers."""
    sections = [
        [f"database {stats.database_id} at revision {stats.revision}"],
        _table("file", ["bytes"], ((name, [size]) for name, size in stats.files.items())),
        _table(
            "table, with its indexes",
            ["rows", "bytes (approximate)"],
            ((name, [table.rows, table.bytes]) for name, table in stats.tables.items()),
        ),
        ["Events and audit entries are never deleted."],
        _table("day (UTC)", ["events"], ((day, [count]) for day, count in stats.events_per_day.items())),
        [f"the events grow by about {stats.growth_bytes_per_day} bytes a day"],
        _table(
            "stored answers of",
            ["answers", "bytes"],
            ((kept.principal, [kept.answers, kept.bytes]) for kept in stats.kept_answers),
        ),
        _table(
            "restore",
            ["last revision", "continues from"],
            (
                (
                    f"{restore.number}: {restore.command} at {restore.restore_time.isoformat()}",
                    [restore.last_revision, restore.floor],
                )
                for restore in stats.restores
            ),
        ),
        [f"record check: {'none' if stats.record_check is None else json.dumps(stats.record_check)}"],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _table(first: str, columns: list[str], rows: Iterable[tuple[str, list[int]]]) -> list[str]:
    """Lines with right-aligned numbers, or none if there is no row."""
    lines = [(first, columns), *((name, [str(value) for value in values]) for name, values in rows)]
    if len(lines) == 1:
        return []
    width = max(len(name) for name, _ in lines)
    widths = [max(len(values[place]) for _, values in lines) for place in range(len(columns))]
    return [
        "  ".join([name.ljust(width), *(value.rjust(wide) for value, wide in zip(values, widths, strict=True))])
        for name, values in lines
    ]
