"""A worker's server in this process, for tests that inspect its threads and calls."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from frostgate_server.auth.credential_files import CredentialFiles
from frostgate_server.config.loading import configure
from frostgate_server.domain.verification_code import CodeKey
from frostgate_server.policy import loader
from frostgate_server.process.port_reservation import reserve_port
from frostgate_server.process.worker_config import WorkerConfig
from frostgate_server.process.worker_server import start_server
from frostgate_server.storage.sqlite.opening import prepare_store


@contextmanager
def worker_in_process(
    database: Path, config: Path | None = None, flags: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    """Serves a database with the settings and callers of a configuration file. Creates the database if necessary.

    `flags` are settings by their names. Yields the address, and the address that requires client certificates, which is
    empty if the settings have none.
    """
    settings = configure({"listen": "localhost:0", **(flags or {})}, {}, config).settings
    with reserve_port(settings.listen) as port, reserve_port(settings.mtls_listen) as mtls_port:
        server = start_server(
            WorkerConfig(
                number=1,
                core=None,
                listeners=port.listeners,
                mtls_listeners=mtls_port.listeners,
                database=prepare_store(database, create=True),
                policy=loader.load(settings.policy, settings.unknown_customer),
                code_key=CodeKey(b"k" * 32),
                settings=settings,
                callers_file=config,
                last_good=CredentialFiles(settings, config).last_good(),
                probe_directory=database.parent,
            )
        )
        try:
            yield port.address, mtls_port.address
        finally:
            server.drain(timedelta())
