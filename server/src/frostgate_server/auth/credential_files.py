"""The files that say who the server is, who may call it, and what proves that: read at the start, and looked at again
all the time."""

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from frostgate_server.config.callers_table import Callers, parse_callers_file
from frostgate_server.config.settings import Settings

from .certificates import ServerCertificate, authorities, read_server_certificate
from .jwks import Jwks, token_keys
from .reloadable_file import Contents, ReloadableFile, Say

POLL_SECONDS = 0.5
"""Seconds between two looks at the files."""

LastGoodContents = Mapping[str, Contents]
"""What stood in the files when they were good, by what they are."""


class CredentialFiles:
    """Each of them is None where the settings name none."""

    def __init__(
        self, settings: Settings, callers_file: Path | None, last_good: LastGoodContents | None = None
    ) -> None:
        """Reads them, or starts with what was good before. Raises StartupError."""

        def last(name: str) -> Contents | None:
            return None if last_good is None else last_good[name]

        self.certificate: ReloadableFile[ServerCertificate] | None = None
        self.authorities: ReloadableFile[bytes] | None = None
        self.token_keys: ReloadableFile[Jwks] | None = None
        self.callers: ReloadableFile[Callers] | None = None
        if settings.tls_certificate and settings.tls_key:
            pair = [settings.tls_certificate, settings.tls_key]
            name = "tls_certificate with tls_key"
            self.certificate = ReloadableFile(name, pair, read_server_certificate, last(name))
        if settings.client_ca:
            self.authorities = ReloadableFile("client_ca", [settings.client_ca], authorities, last("client_ca"))
        if settings.token_keys:
            parse = partial(token_keys, allowed=settings.token_algorithms)
            self.token_keys = ReloadableFile("token_keys", [settings.token_keys], parse, last("token_keys"))
        if callers_file:
            self.callers = ReloadableFile("callers", [callers_file], parse_callers_file, last("callers"))

    def last_good(self) -> LastGoodContents:
        """What counts now, for another process to start with."""
        return {kept.name: kept.contents for kept in self._all()}

    def look(self, say: Say) -> None:
        """Takes what was replaced by something good."""
        for kept in self._all():
            kept.look(say)

    def _all(
        self,
    ) -> list[
        ReloadableFile[ServerCertificate] | ReloadableFile[bytes] | ReloadableFile[Jwks] | ReloadableFile[Callers]
    ]:
        every = (self.certificate, self.authorities, self.token_keys, self.callers)
        return [kept for kept in every if kept is not None]


class FileWatcher:
    """Looks at the files again and again, in a thread of its own."""

    def __init__(self, files: CredentialFiles, say: Say) -> None:
        """Begins with a first look."""
        self._files = files
        self._say = say
        self._ended = threading.Event()
        files.look(say)
        threading.Thread(target=self._run, name="files", daemon=True).start()

    def end(self) -> None:
        """Looks no more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            self._files.look(self._say)
