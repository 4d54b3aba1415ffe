"""The definition of a setting: its default, kind and documentation, and the names that are derived from its name."""

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from .kinds import FilePath, Kind, Optional, OutputFile, Switch

_T = TypeVar("_T")


def setting(default: _T, kind: Kind[_T], doc: str) -> _T:
    """A field of Settings. `doc` is shown in the help of commands and on the operator's page."""
    return field(default=default, metadata={"kind": kind, "doc": doc})


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `default` is the default as text; empty: none."""

    name: str
    kind: Kind[Any]
    default: str
    doc: str

    @property
    def flag(self) -> str:
        """Its flag on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return "FROSTGATE_" + self.name.upper()

    @property
    def is_switch(self) -> bool:
        """Whether its flag needs no value."""
        return isinstance(self.kind, Switch)

    @property
    def names_file(self) -> bool:
        """Whether its value is the path of a file."""
        kind = self.kind.kind if isinstance(self.kind, Optional) else self.kind
        return isinstance(kind, FilePath | OutputFile)


def settings_of(cls: type[Any]) -> list[Setting]:
    """The settings that a dataclass defines with `setting`, in the order of its fields."""
    return [
        Setting(one.name, one.metadata["kind"], one.metadata["kind"].show(one.default), one.metadata["doc"])
        for one in fields(cls)
    ]
