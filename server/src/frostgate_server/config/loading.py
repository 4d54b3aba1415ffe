"""Reads the configuration. Flags override the environment, which overrides the file, which overrides the defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.toml_text import parse_toml
from frostgate_server.observability.one_line import on_one_line

from .callers_table import Callers, CallersError, parse_callers
from .configuration import Configuration
from .definition import Setting
from .kinds import Switch
from .settings import Settings, all_settings
from .unknown_variables import find_unknown_variables
from .usable import Usable
from .validation import problems_of_addresses

CONFIG_VARIABLE = "FROSTGATE_CONFIG"
"""The variable that names the file if --config does not."""


@dataclass(frozen=True, slots=True)
class SettingsReading:
    """The configuration as far as it could be read, and each problem.

    `unread` are the settings whose values could not be read: they have their defaults. `has_callers` says whether the
    file names callers, even if none of them can be used.
    """

    configuration: Configuration
    problems: tuple[str, ...]
    unread: frozenset[str]
    has_callers: bool


def configure(flags: Mapping[str, str], environment: Mapping[str, str], file: Path | None) -> Configuration:
    """The settings in force. `flags` holds those given, by the setting's name.

    Raises StartupError with every problem: unknown keys in the file, and invalid values with their origin.
    """
    reading = read_settings(flags, environment, file)
    if reading.problems:
        raise StartupError("; ".join(reading.problems))
    return reading.configuration


def read_settings(flags: Mapping[str, str], environment: Mapping[str, str], file: Path | None) -> SettingsReading:
    """As `configure`, but returns the problems together with the settings that could be read.

    If the file cannot be read, only the settings that flags and variables give are known.
    """
    problems: list[str] = []
    document: dict[str, Any] = {}
    try:
        document = _read_file(file) if file else {}
    except StartupError as error:
        problems.append(str(error))
    is_file_read = not problems
    tables = document.pop("callers", None)
    chosen: dict[str, Any] = {}
    origins: dict[str, str] = {}
    known = all_settings()
    names = {one.name for one in known}
    problems += [f"{file}: unknown setting {on_one_line(key)}" for key in document if key not in names]
    unread = set()
    for one in known:
        given, origins[one.name] = _given(one, flags, environment, document, str(file))
        if given is None and not is_file_read:
            unread.add(one.name)
        if given is not None:
            try:
                chosen[one.name] = one.kind.read(_text_of(given))
            except ValueError as error:
                unread.add(one.name)
                problems.append(f"{one.name} (from {origins[one.name]}) {error}, but is {_shown(given)}")
    settings = Settings(**chosen)
    if not {"listen", "mtls_listen"} & unread:
        problems += problems_of_addresses(settings, origins)
    callers: Usable[Callers] = Usable({})
    try:
        callers = parse_callers(tables) if tables is not None else callers
    except CallersError as error:
        problems += [f"{file}: {problem}" for problem in error.problems]
    warnings = find_unknown_variables(environment, [CONFIG_VARIABLE, *(one.variable for one in known)])
    configuration = Configuration(settings, origins, file, callers.value, callers.passed_over, tuple(warnings))
    return SettingsReading(configuration, tuple(problems), frozenset(unread), tables is not None)


def _given(
    setting: Setting, flags: Mapping[str, str], environment: Mapping[str, str], in_file: Mapping[str, Any], file: str
) -> tuple[object, str]:
    """The value in force of a setting, and its origin. None if there is no value."""
    if setting.name in flags:
        return flags[setting.name], setting.flag
    if setting.variable in environment:
        return environment[setting.variable], setting.variable
    if setting.name in in_file:
        return in_file[setting.name], file
    return None, "default"


def _text_of(value: object) -> str:
    """A value from any source, as the text that a flag would have. Raises ValueError if this is not possible."""
    if isinstance(value, bool):
        return Switch().show(value)
    if not isinstance(value, str | int | float):
        raise ValueError("must be a string, a number, true or false")
    try:
        text = str(value)
    except ValueError:
        raise ValueError("must be a number with fewer digits") from None
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be in UTF-8") from None
    return text


def _shown(value: object) -> str:
    """A refused value, for a message."""
    try:
        return repr(value)
    except ValueError:
        return "too long to show"


def _read_file(file: Path) -> dict[str, Any]:
    try:
        str(file).encode()
        return parse_toml(file.read_bytes())
    except UnicodeEncodeError as error:
        raise StartupError(f"configuration file must be in UTF-8, but is {str(file)!a}") from error
    except (OSError, ValueError) as error:
        raise StartupError(f"configuration file {file} cannot be read: {error}") from error
