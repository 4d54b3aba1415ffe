"""The files that say who the server is, who may call it, and what proves that: read at the start, and looked at again
all the time."""

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from frostgate_server.config.callers_table import Callers, parse_callers_file
from frostgate_server.config.known_settings import UnreadSetting
from frostgate_server.config.settings import Settings
from frostgate_server.domain.errors import StartupError

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
        self.certificate = _certificate(settings, last_good)
        self.authorities = _authorities(settings, last_good)
        self.token_keys = _token_keys(settings, last_good)
        self.callers = _callers(callers_file, last_good)

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


def check_credential_files(settings: Settings) -> tuple[list[str], list[str]]:
    """The problems of files that cannot be used, and a line for each ignored entry of the others. Without callers."""
    problems: list[str] = []
    passed_over: list[str] = []
    for read in (_certificate, _authorities, _token_keys):
        try:
            kept = read(settings, None)
        except StartupError as error:
            problems.append(str(error))
        except UnreadSetting:
            continue
        else:
            passed_over += kept.warnings() if kept is not None else []
    return problems, passed_over


def _certificate(settings: Settings, last_good: LastGoodContents | None) -> ReloadableFile[ServerCertificate] | None:
    if not (settings.tls_certificate and settings.tls_key):
        return None
    name = "tls_certificate with tls_key"
    pair = [settings.tls_certificate, settings.tls_key]
    return ReloadableFile(name, pair, read_server_certificate, _last(name, last_good))


def _authorities(settings: Settings, last_good: LastGoodContents | None) -> ReloadableFile[bytes] | None:
    if not settings.client_ca:
        return None
    return ReloadableFile("client_ca", [settings.client_ca], authorities, _last("client_ca", last_good))


def _token_keys(settings: Settings, last_good: LastGoodContents | None) -> ReloadableFile[Jwks] | None:
    if not settings.token_keys:
        return None
    parse = partial(token_keys, allowed=settings.token_algorithms)
    return ReloadableFile("token_keys", [settings.token_keys], parse, _last("token_keys", last_good))


def _callers(file: Path | None, last_good: LastGoodContents | None) -> ReloadableFile[Callers] | None:
    if not file:
        return None
    return ReloadableFile("callers", [file], parse_callers_file, _last("callers", last_good))


def _last(name: str, last_good: LastGoodContents | None) -> Contents | None:
    return None if last_good is None else last_good[name]


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
