"""The authentication of callers of a worker, and the TLS credentials of its addresses.

All modules that need cryptography are imported here, and only with TLS. A worker without TLS starts faster, and uses
10 MB less memory.
"""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from frostgate_server.auth.interface import AnonymousAuthenticator, Authenticator

from .worker_config import WorkerConfig

if TYPE_CHECKING:
    from frostgate_server.auth.credential_files import CredentialFiles

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerAccess:
    """The authenticator of a worker, and its credential files if it has TLS."""

    authenticator: Authenticator
    _files: "CredentialFiles | None"

    def credentials(self, *, asks_callers: bool) -> grpc.ServerCredentials | None:
        """The credentials of one address. None without TLS. With `asks_callers`, callers must present a certificate."""
        if self._files is None:
            return None
        from frostgate_server.rpc.tls import server_credentials  # noqa: PLC0415 - see the head of this module

        assert self._files.certificate
        assert self._files.authorities or not asks_callers
        return server_credentials(self._files.certificate, self._files.authorities if asks_callers else None)


def open_access(config: WorkerConfig, parts: ExitStack) -> WorkerAccess:
    """Reads the credential files, and watches them for changes until `parts` is closed. Raises StartupError."""
    if not config.settings.tls_certificate:
        return WorkerAccess(AnonymousAuthenticator(), None)
    from frostgate_server.auth.authenticator import CredentialAuthenticator  # noqa: PLC0415
    from frostgate_server.auth.credential_files import CredentialFiles, FileWatcher  # noqa: PLC0415

    files = CredentialFiles(config.settings, config.callers_file, config.last_good)
    parts.callback(FileWatcher(files, lambda _, line: _log.debug(line)).end)
    if files.callers is None:
        return WorkerAccess(AnonymousAuthenticator(), files)
    return WorkerAccess(CredentialAuthenticator(config.settings, files), files)
