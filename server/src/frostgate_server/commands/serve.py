"""frostgate-server serve: prepares everything that the workers share, then supervises them."""

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import timedelta
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
from frostgate_server.observability.line_writer import LineWriter
from frostgate_server.observability.logging_setup import FLUSH_SECONDS, log_to_stderr
from frostgate_server.policy import loader
from frostgate_server.process.background.handle import BackgroundProcess
from frostgate_server.process.core_affinity import core_of
from frostgate_server.process.cpu_quota import count_cores
from frostgate_server.process.head_exporter import HeadExporter, append_line
from frostgate_server.process.port_reservation import PortReservation, reserve_port
from frostgate_server.process.record_check.config import RecordCheckConfig
from frostgate_server.process.scheduled_backup.config import ScheduledBackupConfig
from frostgate_server.process.shutdown_signals import ShutdownSignals
from frostgate_server.process.supervisor import POLL_SECONDS, Supervisor
from frostgate_server.process.worker_config import WorkerConfig
from frostgate_server.storage.backend import PreparedDatabase
from frostgate_server.storage.backends import find_backend
from frostgate_server.storage.head import Head

from .options import Subcommands, add_command, add_settings, print_warnings, read_configuration, read_with_problems
from .start_check import check_start

_log = logging.getLogger(__name__)

_STDOUT = 1
"""The descriptor of stdout. `sys.stdout` is None in a process that was started with stdout closed."""

_STDOUT_BYTES = 16 * 1024
"""Bytes that may be queued for the reader of stdout."""


def add_serve_command(commands: "Subcommands[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = add_command(commands, "serve", _serve, "serve over gRPC until SIGTERM or SIGINT")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--print-config", action="store_true", help="print the settings in force, and do not serve")
    instead.add_argument(
        "--check-config",
        action="store_true",
        help="report every problem that would keep the server from starting, and do not serve",
    )
    add_settings(parser)


def _serve(options: argparse.Namespace) -> None:
    if options.check_config:
        check_start(read_with_problems(options))
        return
    configuration = read_configuration(options)
    if options.print_config:
        print_warnings(configuration)
        print(configuration.shown(), end="")
        return
    stdout = LineWriter(_STDOUT, "stdout", _STDOUT_BYTES)
    serve(configuration, stdout)
    stdout.flush(FLUSH_SECONDS)


def _write_line(stdout: LineWriter, line: str) -> None:
    """Writes a line to stdout. Raises OSError if it is not written within a second."""
    if not (stdout.put(line) and stdout.flush(1.0)):
        raise BlockingIOError("stdout is not read")
    if stdout.failure is not None:
        raise stdout.failure


def serve(configuration: Configuration, stdout: LineWriter) -> None:
    """Serves until SIGTERM or SIGINT, and prints a line for each step. Raises StartupError if it cannot start.

    It does not wait for a reader of stdout: the server serves and drains even if its lines are not read.
    """
    settings = configuration.settings
    stop = ShutdownSignals()
    log_to_stderr(settings.log_level, "supervisor")
    for warning in configuration.warnings:
        _log.warning(warning)
    backend = find_backend(settings.database)
    ensure_valid(configuration, backend.file_endings)
    for problem in ensure_mail_files(settings):
        _log.warning(problem)
    policy = loader.load(settings.policy, settings.unknown_customer)
    count, delay = _worker_count(settings), settings.effective_shutdown_delay
    with ExitStack() as held:
        last_good = _access(configuration, held)
        port = held.enter_context(reserve_port(settings.listen))
        mtls_port = held.enter_context(reserve_port(settings.mtls_listen))
        lock = held.enter_context(closing(backend.reserve(create=configuration.may_create)))
        inherited = [*port.descriptors, *mtls_port.descriptors, lock.fileno()]
        workers = Supervisor(count, inherited, settings)
        stop.at_once = workers.end
        held.enter_context(workers)
        database = held.enter_context(backend.hold(backend.prepare(create=configuration.may_create)))
        key = code_key(settings.verification_key, backend.default_key_file)

        def worker_config(number: int) -> WorkerConfig:
            """The configuration of a worker that starts now, with the last valid contents of the files."""
            return WorkerConfig(
                number,
                core_of(number, count) if settings.cpu_affinity == "auto" else None,
                port.listeners,
                mtls_port.listeners,
                database,
                policy,
                key,
                settings,
                configuration.callers_file,
                last_good(),
                workers.probe_directory.path,
            )

        workers.start(worker_config, stop)
        if not stop.asked:
            stop.delay_ahead = delay > timedelta()
            stdout.put(
                f"frostgate-server is ready on {_addresses(port, mtls_port)}: database {settings.database} "
                f"at revision {database.revision}, policy {policy.version}, "
                f"unknown customers: {policy.unknown_customer.name}, workers: {count}"
            )
        exports = _head_exports(settings, partial(backend.get_current_head, database), stdout)
        background = [held.enter_context(closing(one)) for one in _background_processes(settings, database)]
        while not stop.asked:
            workers.supervise()
            for process in background:
                process.supervise()
            sleep(POLL_SECONDS)
        for process in background:
            process.close()
        if stop.delay_ahead:
            stdout.put(f"frostgate-server is NOT_SERVING, and accepts calls for {delay.total_seconds():g} s")
        workers.announce_shutdown(stop)
        stdout.put("frostgate-server is draining")
        workers.drain()
        for export in exports:
            export.end()
    stdout.put("frostgate-server has stopped")


def _access(configuration: Configuration, held: ExitStack) -> Callable[[], Mapping[str, Contents]]:
    """Returns a function that gives the last valid contents of the credential files.

    Raises StartupError if a file cannot be used now.
    """
    settings = configuration.settings
    if not settings.tls_certificate:
        return dict
    # Servers without TLS start faster without cryptography.
    from frostgate_server.auth.credential_files import CredentialFiles, FileWatcher  # noqa: PLC0415

    files = CredentialFiles(settings, configuration.callers_file)
    held.callback(FileWatcher(files, _log.log).end)
    return files.last_good


def _addresses(port: PortReservation, mtls_port: PortReservation) -> str:
    """The addresses for the ready line. The address for mTLS is last, and marked as such."""
    mtls = [f"mTLS on {mtls_port.address}"] if mtls_port.address else []
    return ", ".join([port.address, *mtls] if port.address else mtls)


def _head_exports(settings: Settings, get_head: Callable[[], Head], stdout: LineWriter) -> list[HeadExporter]:
    """The exporter of heads, if `head_export` is set."""
    to = settings.head_export
    if not to:
        return []
    write = partial(_write_line, stdout) if to == "-" else partial(append_line, Path(to))
    return [HeadExporter(get_head, write, settings.head_export_period)]


def _background_processes(settings: Settings, database: PreparedDatabase) -> Iterator[BackgroundProcess]:
    """The background check and the scheduled backups, if the settings ask for them."""
    if settings.record_check_rows:
        yield BackgroundProcess(
            "the background check",
            "frostgate_server.process.record_check.program",
            RecordCheckConfig(settings.database, database, settings.record_check_rows, settings.log_level),
        )
    if settings.backup_directory is not None:
        yield BackgroundProcess(
            "the process of the backups",
            "frostgate_server.process.scheduled_backup.program",
            ScheduledBackupConfig(
                settings.database,
                settings.backup_directory,
                settings.backup_period,
                settings.backup_keep,
                settings.log_level,
            ),
        )


def _worker_count(settings: Settings) -> int:
    """The number of workers: one on a unix socket, which has one listener."""
    if is_unix(settings.listen) or is_unix(settings.mtls_listen):
        return 1
    return settings.workers or min(count_cores(), MOST_WORKERS)
