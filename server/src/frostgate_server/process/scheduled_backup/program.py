"""The process of the scheduled backups. The supervisor starts it and writes the config to its stdin.

It ends when its stdin is closed, by the supervisor or by the end of the supervisor, also in the middle of a backup.
"""

import logging
import os
import pickle
import sys
import threading
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import NoReturn

from frostgate_server.domain.errors import FrostgateError, StartupError
from frostgate_server.observability.logging_setup import log_to_stderr
from frostgate_server.storage.backends import find_backend
from frostgate_server.storage.backup_directory import BackupDirectory

from .config import ScheduledBackupConfig

_log = logging.getLogger(__name__)

NICENESS = 5
"""A low priority, also for the disk. It is not the lowest one: with that, a copy on a busy machine could take hours,
and the -wal file of the database grows during a copy."""

LONGEST_WAIT = timedelta(minutes=1)
"""The longest time between two looks at the clock, which may be set, and at the directory."""

RETRY_PAUSE = timedelta(minutes=5)
"""The time until the next try after one that failed, unless the period is shorter."""


def main() -> None:
    """Makes backups until stdin is closed, which ends the process. Returns only if there is no complete config."""
    try:
        config: ScheduledBackupConfig = pickle.load(sys.stdin.buffer)  # noqa: S301 - the supervisor's own
    except (EOFError, pickle.UnpicklingError):
        return
    os.nice(NICENESS)
    log_to_stderr(config.log_level, "backup")
    backups = BackupDirectory(config.directory)
    threading.Thread(target=_end_with_stdin, args=(backups,), name="end", daemon=True).start()
    _make_backups(config, backups)


def _make_backups(config: ScheduledBackupConfig, backups: BackupDirectory) -> NoReturn:
    while True:
        try:
            pause = backups.get_time_to_next(config.period, datetime.now(UTC))
            if not pause:
                _make_backup(config, backups)
        except (StartupError, FrostgateError, OSError) as error:
            pause = min(config.period, RETRY_PAUSE)
            _log.error(
                "no backup was made in %s: %s; earlier backups are kept, and the next try is in %g s",
                config.directory,
                getattr(error, "detail", "") or error,
                pause.total_seconds(),
            )
        sleep(min(pause, LONGEST_WAIT).total_seconds())


def _make_backup(config: ScheduledBackupConfig, backups: BackupDirectory) -> None:
    made = backups.make(find_backend(config.database), datetime.now(UTC))
    _log.info("%s is a verified backup of the database at revision %d", backups.directory / made.name, made.revision)
    try:
        backups.delete_old(config.keep, made)
    except OSError as error:
        _log.error("an old backup cannot be deleted, and the next backup tries again: %s", error)


def _end_with_stdin(backups: BackupDirectory) -> None:
    """Waits until stdin is closed, and ends the process at once. The main thread may be in a long copy."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    try:
        backups.remove_leftovers()
    except OSError as error:
        _log.warning("an incomplete backup was left, and the next start removes it: %s", error)
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
