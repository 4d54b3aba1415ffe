"""The configuration that the supervisor sends to the process of the background check."""

from dataclasses import dataclass

from frostgate_server.config.settings import Settings
from frostgate_server.storage.backend import PreparedDatabase


@dataclass(frozen=True, slots=True)
class RecordCheckConfig:
    """The settings of the server, and its database."""

    settings: Settings
    prepared: PreparedDatabase
