"""Reads the configuration: flags over environment over file over defaults."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frostgate_server.domain.errors import StartupError

from .callers_table import Callers, CallersError, parse_callers
from .configuration import Configuration
from .definition import Setting
from .kinds import Switch
from .settings import Settings, all_settings
from .validation import problems_of_addresses


def configure(flags: Mapping[str, str], environment: Mapping[str, str], file: Path | None) -> Configuration:
    """The settings in force. `flags` holds those given, by the setting's name.

    Raises StartupError with every problem: unknown keys in the file, and values that cannot be, with their origin.
    """
    document = _read_file(file) if file else {}
    tables = document.pop("callers", None)
    in_file = {key: _text_of(value) for key, value in document.items()}
    chosen: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems = [f"{file}: unknown setting {key}" for key in in_file if key not in Settings.__slots__]
    for one in all_settings():
        text, origins[one.name] = _given(one, flags, environment, in_file, str(file))
        if text is not None:
            try:
                chosen[one.name] = one.kind.read(text)
            except ValueError as error:
                problems.append(f"{one.name} (from {origins[one.name]}) {error}, but is {text!r}")
    settings = Settings(**chosen)
    problems += problems_of_addresses(settings, origins)
    callers: Callers = {}
    try:
        callers = parse_callers(tables) if tables is not None else {}
    except CallersError as error:
        problems += [f"{file}: {problem}" for problem in error.problems]
    if problems:
        raise StartupError("; ".join(problems))
    return Configuration(settings, origins, file, callers)


def _given(
    setting: Setting, flags: Mapping[str, str], environment: Mapping[str, str], in_file: Mapping[str, str], file: str
) -> tuple[str | None, str]:
    """The text that counts for a setting, and where it came from."""
    if setting.name in flags:
        return flags[setting.name], setting.flag
    if setting.variable in environment:
        return environment[setting.variable], setting.variable
    if setting.name in in_file:
        return in_file[setting.name], file
    return None, "default"


def _text_of(value: object) -> str:
    """A value of a TOML file as the text that a flag would give."""
    return Switch().show(value) if isinstance(value, bool) else str(value)


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartupError(f"configuration file {file} cannot be read: {error}") from error
