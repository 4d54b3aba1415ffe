"""frostgate-server serve --check-config: reports every problem that would keep the server from starting.

It starts nothing.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

from frostgate_server.config.code_key_file import code_key
from frostgate_server.config.known_settings import KnownSettings, UnreadSetting
from frostgate_server.config.loading import SettingsReading
from frostgate_server.config.settings import Settings
from frostgate_server.config.validation import find_problems
from frostgate_server.domain.errors import StartupError
from frostgate_server.mail.smtp import check_mail_files
from frostgate_server.observability.one_line import on_one_line
from frostgate_server.policy import loader
from frostgate_server.process.port_reservation import find_port_problems
from frostgate_server.process.probe_directory import ensure_place
from frostgate_server.storage.backends import find_backend

SAME_SERVER = "the server of this database may be listening there"


class StartCheck:
    """Checks everything that a start needs. `problems` would keep the server from starting, `warnings` would not."""

    def __init__(self, reading: SettingsReading) -> None:
        """Takes the settings that were read, with the problems that were found meanwhile."""
        self.problems = list(reading.problems)
        self.warnings = [
            *reading.configuration.warnings,
            *(f"{reading.configuration.file}: ignored {one}" for one in reading.configuration.passed_over),
        ]
        self._configuration = reading.configuration
        self._has_callers = reading.has_callers
        self._settings = cast(Settings, KnownSettings(reading.configuration.settings, reading.unread))
        for look in (self._rules, self._mail, self._policy, self._access, self._database, self._key, self._places):
            self._add(look())
        self._addresses()

    def _add(self, found: Iterator[str]) -> None:
        """Adds problems. Skips checks that need a setting whose value could not be read."""
        try:
            self.problems.extend(found)
        except UnreadSetting:
            return
        except (StartupError, OSError) as error:
            self.problems.append(str(error))

    def _rules(self) -> Iterator[str]:
        endings: tuple[str, ...] = ()
        with suppress(UnreadSetting, StartupError):
            endings = find_backend(self._settings.database).file_endings
        yield from find_problems(self._settings, self._has_callers, endings)

    def _mail(self) -> Iterator[str]:
        problems, passed_over = check_mail_files(self._settings)
        self.warnings += passed_over
        yield from problems

    def _policy(self) -> Iterator[str]:
        try:
            loader.load(self._settings.policy, self._settings.unknown_customer)
        except loader.PolicyFileError as error:
            yield from (f"policy file {self._settings.policy}: {problem}" for problem in error.problems)

    def _access(self) -> Iterator[str]:
        if not self._settings.tls_certificate:
            return
        # Servers without TLS start faster without cryptography.
        from frostgate_server.auth.credential_files import check_credential_files  # noqa: PLC0415

        problems, passed_over = check_credential_files(self._settings)
        self.warnings += passed_over
        yield from problems

    def _database(self) -> Iterator[str]:
        backend = find_backend(self._settings.database)
        if backend.is_reserved():
            self.warnings.append(f"database {self._settings.database} is in use: stop its server before the start")
        else:
            yield from backend.find_obstacles(create=self._configuration.may_create)

    def _key(self) -> Iterator[str]:
        """A key that is missing at its default path is no problem: the start creates it."""
        named, default = self._settings.verification_key, find_backend(self._settings.database).default_key_file
        if named is not None or default.exists():
            code_key(named, default)
        yield from ()

    def _places(self) -> Iterator[str]:
        export = self._settings.head_export
        if export not in {"", "-"} and not os.access(Path(export).parent, os.W_OK | os.X_OK):
            self.warnings.append(f"the head cannot be exported to {export}: its directory cannot be written to")
        backups = self._settings.backup_directory
        if backups is not None and not (backups.is_dir() and os.access(backups, os.R_OK | os.W_OK | os.X_OK)):
            self.warnings.append(
                f"backups cannot be made in {backups}: it is not a directory that this user can read and write"
            )
        ensure_place(self._settings.database.parent)
        yield from ()

    def _addresses(self) -> None:
        """Checks the addresses. One that is in use is only a warning if a server runs on the same database."""
        is_restart = False
        with suppress(UnreadSetting, StartupError):
            is_restart = find_backend(self._settings.database).is_reserved()
        for problem, is_in_use in find_port_problems(self._readable_addresses()):
            if is_restart and is_in_use:
                self.warnings.append(f"{problem}: {SAME_SERVER}")
            else:
                self.problems.append(problem)

    def _readable_addresses(self) -> list[str]:
        addresses = []
        for name in ("listen", "mtls_listen"):
            with suppress(UnreadSetting):
                addresses.append(str(getattr(self._settings, name)))
        return addresses


def check_start(reading: SettingsReading) -> None:
    """Prints all problems and warnings to stderr, one line each. Exits with status 1 if there is a problem."""
    check = StartCheck(reading)
    for warning in dict.fromkeys(check.warnings):
        print(f"frostgate-server: warning: {on_one_line(warning)}", file=sys.stderr)
    for problem in dict.fromkeys(check.problems):
        print(f"frostgate-server: {on_one_line(problem)}", file=sys.stderr)
    if check.problems:
        sys.exit(1)
    print("frostgate-server can start")
