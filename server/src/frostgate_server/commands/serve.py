"""frostgate-server serve: settles everything that all workers share, then supervises them."""

import argparse
import logging
import os
import select
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from time import sleep

from frostgate_server.auth.reloadable_file import Contents
from frostgate_server.config.addresses import is_unix
from frostgate_server.config.code_key_file import code_key
from frostgate_server.config.configuration import Configuration
from frostgate_server.config.settings import MOST_WORKERS, Settings
from frostgate_server.config.validation import ensure_valid
from frostgate_server.mail.smtp import ensure_mail_files
from frostgate_server.observability.logging_setup import log_to_stderr
from frostgate_server.policy import loader
from frostgate_server.process.head_exporter import HeadExporter, append_line
from frostgate_server.process.port_reservation import PortReservation, reserve_port
from frostgate_server.process.shutdown_signals import ShutdownSignals
from frostgate_server.process.supervisor import POLL_SECONDS, Supervisor
from frostgate_server.process.worker_config import WorkerConfig
from frostgate_server.storage.backends import find_backend
from frostgate_server.storage.head import Head

from .options import Subcommands, add_command, add_settings, read_configuration

_log = logging.getLogger(__name__)

_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")

_STDOUT = 1
"""Its descriptor: `sys.stdout` is None in a process that was started with it closed."""


def add_serve_command(commands: "Subcommands[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = add_command(commands, "serve", _serve, "serve over gRPC until SIGTERM or SIGINT")
    parser.add_argument("--print-config", action="store_true", help="print the settings in force, and do not serve")
    add_settings(parser)


def _serve(options: argparse.Namespace) -> None:
    configuration = read_configuration(options)
    if options.print_config:
        print(configuration.shown(), end="")
        return
    serve(configuration, _write_line)


def _write_line(line: str) -> None:
    """Writes a line to stdout. Raises OSError if no reader takes it within a second."""
    _, writable, _ = select.select([], [_STDOUT], [], 1.0)
    if not writable:
        raise BlockingIOError("nobody reads stdout")
    os.write(_STDOUT, f"{line}\n".encode())


def serve(configuration: Configuration, write_line: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT, and announces each turn. Raises StartupError, which says why it cannot.

    `write_line` may raise OSError: a server goes on, and drains, also if nobody reads its lines.
    """

    def announce(line: str) -> None:
        with suppress(OSError):
            write_line(line)

    settings = configuration.settings
    stop = ShutdownSignals()
    log_to_stderr(settings.log_level, "supervisor")
    backend = find_backend(settings.database)
    ensure_valid(configuration, backend.file_endings)
    ensure_mail_files(settings)
    policy = loader.load(settings.policy, settings.unknown_customer)
    count = _worker_count(settings)
    with ExitStack() as held:
        last_good = _access(configuration, held)
        port = held.enter_context(reserve_port(settings.listen))
        mtls_port = held.enter_context(reserve_port(settings.mtls_listen))
        lock = held.enter_context(closing(backend.reserve(create=configuration.may_create)))
        inherited = [*port.descriptors, *mtls_port.descriptors, lock.fileno()]
        workers = Supervisor(count, inherited, settings.drain_period, settings.worker_patience)
        stop.at_once = workers.end
        held.enter_context(workers)
        database = backend.prepare(create=configuration.may_create)
        key = code_key(settings.verification_key, backend.default_key_file)

        def worker_config(number: int) -> WorkerConfig:
            """For a worker that starts now, with what is good now."""
            return WorkerConfig(
                number,
                port.listeners,
                mtls_port.listeners,
                database,
                policy,
                key,
                settings,
                configuration.callers_file,
                last_good(),
            )

        workers.start(worker_config, stop)
        if not stop.asked:
            announce(
                f"frostgate-server is ready on {_addresses(port, mtls_port)}: database {settings.database} "
                f"at revision {database.revision}, policy {policy.version}, "
                f"unknown customers: {policy.unknown_customer.name}, workers: {count}"
            )
        exports = _head_exports(settings, partial(backend.get_current_head, database), write_line)
        while not stop.asked:
            sleep(POLL_SECONDS)
            workers.supervise()
        announce("frostgate-server is draining")
        workers.drain()
        for export in exports:
            export.end()
    announce("frostgate-server has stopped")


def _access(configuration: Configuration, held: ExitStack) -> Callable[[], Mapping[str, Contents]]:
    """What was last good of the files by which callers are known. Raises StartupError if it is not good now."""
    settings = configuration.settings
    if not settings.tls_certificate:
        return dict
    # Servers without TLS start faster without cryptography.
    from frostgate_server.auth.credential_files import CredentialFiles, FileWatcher  # noqa: PLC0415

    files = CredentialFiles(settings, configuration.callers_file)
    held.callback(FileWatcher(files, _log.log).end)
    return files.last_good


def _addresses(port: PortReservation, mtls_port: PortReservation) -> str:
    """That of mTLS is named as such, after the other one."""
    mtls = [f"mTLS on {mtls_port.address}"] if mtls_port.address else []
    return ", ".join([port.address, *mtls] if port.address else mtls)


def _head_exports(
    settings: Settings, get_head: Callable[[], Head], write_line: Callable[[str], None]
) -> list[HeadExporter]:
    """One, or none if none is asked for."""
    to = settings.head_export
    if not to:
        return []
    write = write_line if to == "-" else partial(append_line, Path(to))
    return [HeadExporter(get_head, write, settings.head_export_period)]


def _worker_count(settings: Settings) -> int:
    """How many workers serve: one on a unix socket, which has one listener."""
    if is_unix(settings.listen) or is_unix(settings.mtls_listen):
        return 1
    return settings.workers or _core_count()


def _core_count() -> int:
    """The cores that this process may use, also where a container grants less than the machine has."""
    cores = len(os.sched_getaffinity(0))
    if _CPU_LIMIT.exists():
        granted, _, period = _CPU_LIMIT.read_text().partition(" ")
        if granted != "max":
            cores = min(cores, max(1, int(granted) // int(period)))
    return min(cores, MOST_WORKERS)
