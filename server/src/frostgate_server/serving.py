"""Serving: the composition root of the supervisor's process, which settles everything before a worker answers."""

import os
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from time import sleep

from . import policy_file
from .errors import StartupError
from .head_export import HeadExport, append_line
from .key_file import code_key
from .listening import ensure_private, reserved
from .logs import log_to_stderr
from .mail import ensure_mail
from .orders import Orders
from .process_signals import Stop
from .setting_values import MOST_WORKERS, is_unix
from .settings import Configuration, Settings
from .sqlite_store import Prepared, claim_database, prepare_store
from .supervisor import TURN, Supervisor

_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def serve(configuration: Configuration, write_line: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT, and announces each turn. Raises StartupError, which says why it cannot.

    `write_line` may raise OSError: a server goes on, and drains, also if nobody reads its lines.
    """

    def announce(line: str) -> None:
        with suppress(OSError):
            write_line(line)

    settings = configuration.settings
    stop = Stop()
    log_to_stderr(settings.log_level, "supervisor")
    ensure_private(settings)
    ensure_mail(settings)
    policy = policy_file.load(settings.policy, settings.unknown_customer)
    count = _worker_count(settings)
    with ExitStack() as held:
        port = held.enter_context(reserved(settings.listen))
        claim = held.enter_context(closing(claim_database(settings.database, create=configuration.may_create)))
        workers = Supervisor(count, [*port.descriptors, claim.fileno()], settings.drain_period)
        stop.at_once = workers.end
        held.enter_context(workers)
        database = prepare_store(settings.database, create=configuration.may_create)
        key = code_key(settings.verification_key, database.path)
        workers.start(lambda number: Orders(number, port.listeners, database, policy, key, settings), stop)
        if not stop.asked:
            announce(
                f"frostgate-server is ready on {port.address}: database {settings.database} "
                f"at revision {database.revision}, policy {policy.version}, "
                f"unknown customers: {policy.unknown_customer.name}, workers: {count}"
            )
        exports = _head_exports(settings, database, write_line)
        while not stop.asked:
            sleep(TURN)
            workers.look_after()
        announce("frostgate-server is draining")
        workers.drain()
        for export in exports:
            export.end()
    announce("frostgate-server has stopped")


def _head_exports(settings: Settings, database: Prepared, write_line: Callable[[str], None]) -> list[HeadExport]:
    """One, or none if none is asked for."""
    to = settings.head_export
    if not to:
        return []
    write = write_line if to == "-" else partial(append_line, Path(to))
    return [HeadExport(database, write, settings.head_export_period)]


def _worker_count(settings: Settings) -> int:
    """How many workers serve. Raises StartupError for more than one on a unix socket, which has one listener."""
    if not is_unix(settings.listen):
        return settings.workers or _core_count()
    if settings.workers not in {None, 1}:
        raise StartupError(f"{settings.workers} workers cannot share {settings.listen}: take --workers 1, or a port")
    return 1


def _core_count() -> int:
    """The cores that this process may use, also where a container grants less than the machine has."""
    cores = len(os.sched_getaffinity(0))
    if _CPU_LIMIT.exists():
        granted, _, period = _CPU_LIMIT.read_text().partition(" ")
        if granted != "max":
            cores = min(cores, max(1, int(granted) // int(period)))
    return min(cores, MOST_WORKERS)
