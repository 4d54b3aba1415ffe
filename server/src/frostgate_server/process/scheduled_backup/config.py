"""The configuration that the supervisor sends to the process of the scheduled backups."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ScheduledBackupConfig:
    """`database` is the setting `database`. The newest `keep` backups stay in `directory`."""

    database: Path
    directory: Path
    period: timedelta
    keep: int
    log_level: str
