"""Serving: the composition root of the supervisor's process, which settles everything before a worker answers."""

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing

from . import policy_file, process_signals
from .errors import StartupError
from .listening import ensure_private, reserved
from .logs import log_to_stderr
from .orders import Orders
from .setting_values import is_unix
from .settings import Configuration, Settings
from .sqlite_store import claim_database, prepare_store
from .supervisor import TURN, Supervisor


def serve(configuration: Configuration, announce: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT, and announces each turn. Raises StartupError, which says why it cannot."""
    settings = configuration.settings
    log_to_stderr(settings.log_level, "supervisor")
    ensure_private(settings)
    policy = policy_file.load(settings.policy, settings.unknown_customer)
    count = _worker_count(settings)
    told_to_stop = threading.Event()
    with ExitStack() as held:
        port = held.enter_context(reserved(settings.listen))
        claim = held.enter_context(closing(claim_database(settings.database, create=configuration.may_create)))
        workers = held.enter_context(Supervisor(count, [*port.descriptors, claim.fileno()]))
        process_signals.on_stop(told_to_stop.set, workers.end)
        database = prepare_store(settings.database, create=configuration.may_create)
        workers.start(lambda number: Orders(number, port.address, database, policy, settings), told_to_stop)
        announce(
            f"frostgate-server is ready on {port.address}: database {settings.database} "
            f"at revision {database.revision}, policy {policy.version}, "
            f"unknown customers: {policy.unknown_customer.name}, workers: {count}"
        )
        # An endless wait can miss a signal that comes just as it begins; one that looks up now and then cannot.
        while not told_to_stop.wait(TURN):
            workers.look_after()
        announce("frostgate-server is draining")
        workers.drain(settings.drain_period)
    announce("frostgate-server has stopped")


def _worker_count(settings: Settings) -> int:
    """How many workers serve. Raises StartupError for more than one on a unix socket, which has one listener."""
    if not is_unix(settings.listen):
        return settings.workers or len(os.sched_getaffinity(0))
    if settings.workers not in {None, 1}:
        raise StartupError(f"{settings.workers} workers cannot share {settings.listen}: take --workers 1, or a port")
    return 1
