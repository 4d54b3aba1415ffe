"""The configuration that the supervisor sends to a worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from frostgate_server.auth.reloadable_file import Contents
from frostgate_server.config.settings import Settings
from frostgate_server.domain.verification_code import CodeKey
from frostgate_server.policy.rules import Policy
from frostgate_server.storage.backend import PreparedDatabase


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The configuration of one worker. Most of it is the same for all workers.

    `number` is the number of the worker, from 1. `listeners` are the addresses where it listens, shared with the other
    workers. `mtls_listeners` are those where it requires client certificates. `callers_file` defines the callers, if
    there are any. `core` is the only core that the worker uses; None leaves the choice to the system. `last_good` has
    the last valid contents of the access files, which a worker uses at its start. `probe_directory` is a private
    directory for a socket of the worker: see `probe_directory.probe_socket`.
    """

    number: int
    core: int | None
    listeners: tuple[str, ...]
    mtls_listeners: tuple[str, ...]
    database: PreparedDatabase
    policy: Policy
    code_key: CodeKey
    settings: Settings
    callers_file: Path | None
    last_good: Mapping[str, Contents]
    probe_directory: Path
