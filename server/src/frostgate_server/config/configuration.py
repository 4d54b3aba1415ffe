"""The configuration in force: settings, their origins, and the callers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from frostgate_server.domain.roles import Role
from frostgate_server.observability.one_line import on_one_line

from .callers_table import Callers, KnownCaller
from .kinds.kind import quote_text
from .settings import Settings, all_settings


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings in force, and the origin of each: a flag, a variable, the file's name or "default".

    `callers` are the callers in `file`. If there are none, every call is anonymous and allowed. `passed_over` has a
    line for each of their tables that cannot be used. `warnings` are sentences about unknown variables.
    """

    settings: Settings
    origins: Mapping[str, str]
    file: Path | None = None
    callers: Callers = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def may_create(self) -> bool:
        """Whether a missing database may be created: with `create`, or at the default path."""
        return self.settings.create or self.origins["database"] == "default"

    @property
    def callers_file(self) -> Path | None:
        """The file that names the callers; None if there are no callers."""
        return self.file if self.callers else None

    def shown(self) -> str:
        """A TOML file with the same settings, and the origin of each.

        With this file the database is not the default one any more: if it is missing, it is created with `create` only.
        A caller whose table was ignored has no role in the file, so that it is ignored again.
        """
        lines = [f"# ignored {problem}\n" for problem in self.passed_over]
        for one in all_settings():
            value = one.kind.quote(getattr(self.settings, one.name))
            lines.append(f"{one.name} = {value}  # {on_one_line(self.origins[one.name])}\n")
        return "".join([*lines, *map(_shown_caller, self.callers.values())])


def _shown_caller(caller: KnownCaller) -> str:
    """A caller as a table of the file."""
    lines = [f"principal = {quote_text(caller.principal)}"]
    if caller.role is not None:
        lines.append(f"role = {quote_text(caller.role)}")
    if caller.role is Role.PARTNER_CENTER:
        lines.append(f"partners = {sorted(caller.partners)}" if caller.partners else 'partners = "all"')
    return "\n".join(["", "[[callers]]", *lines, ""])
