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
    """The settings in force, and where each came from: a flag, a variable, the file's name or "default".

    `callers` are those that the `file` names; none: everybody is anonymous, and may do all. `passed_over` has a line
    for each of their tables that cannot be used. `warnings` are sentences on what was found beside the settings.
    """

    settings: Settings
    origins: Mapping[str, str]
    file: Path | None = None
    callers: Callers = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def may_create(self) -> bool:
        """Whether a missing database may be made: where asked for, or at the default place."""
        return self.settings.create or self.origins["database"] == "default"

    @property
    def callers_file(self) -> Path | None:
        """The file that names the callers; None if nobody is named."""
        return self.file if self.callers else None

    def shown(self) -> str:
        """As a TOML file with the same settings, and the origin of each.

        A database that the file names is no longer the default one: where it is missing, it is made with `create` only.
        A caller whose table was passed over has no role in the file, so that it is passed over again.
        """
        lines = [f"# passed over {problem}\n" for problem in self.passed_over]
        for one in all_settings():
            value = one.kind.quote(getattr(self.settings, one.name))
            lines.append(f"{one.name} = {value}  # {on_one_line(self.origins[one.name])}\n")
        return "".join([*lines, *map(_shown_caller, self.callers.values())])


def _shown_caller(caller: KnownCaller) -> str:
    """As a table of the file."""
    lines = [f"principal = {quote_text(caller.principal)}"]
    if caller.role is not None:
        lines.append(f"role = {quote_text(caller.role)}")
    if caller.role is Role.PARTNER_CENTER:
        lines.append(f"partners = {sorted(caller.partners)}" if caller.partners else 'partners = "all"')
    return "\n".join(["", "[[callers]]", *lines, ""])
