"""The configuration that the supervisor sends to the process of the background check."""

from dataclasses import dataclass
from pathlib import Path

from frostgate_server.storage.backend import PreparedDatabase


@dataclass(frozen=True, slots=True)
class RecordCheckConfig:
    """`database` is the setting `database`. The check reads at most `rows` rows and index entries in a second."""

    database: Path
    prepared: PreparedDatabase
    rows: int
    log_level: str
