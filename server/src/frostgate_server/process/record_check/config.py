"""What the process of the background check is told by the supervisor."""

from dataclasses import dataclass
from pathlib import Path

from frostgate_server.storage.backend import PreparedDatabase


@dataclass(frozen=True, slots=True)
class RecordCheckConfig:
    """`database` is the setting that names the database. At most `rows` are read in a second, all kinds together."""

    database: Path
    prepared: PreparedDatabase
    rows: int
    log_level: str
