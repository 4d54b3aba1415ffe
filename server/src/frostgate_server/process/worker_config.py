"""What a worker is told to do by its supervisor."""

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
    """All that decides how a worker answers, settled once for all workers.

    `number` names the worker, from 1. `listeners` are the addresses where it listens, together with the others;
    `mtls_listeners` those where it asks for client certificates. `callers_file` names the callers, if there are any.
    `core` is the one that the worker keeps to; None leaves that to the system. `last_good` is what stood in the access
    files when they were good: a worker goes on from there. `probe_directory` is a private directory for a socket of the
    worker: see `probe_directory.probe_socket`.
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
