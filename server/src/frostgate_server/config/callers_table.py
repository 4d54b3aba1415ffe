"""The callers: the `[[callers]]` tables of the configuration file.

A table that cannot be used is ignored, and its principal has no role. So an ignored table never gives more permissions
than a correct one: a principal of two tables has neither role, and a certificate with the names of two tables is still
a certificate of two callers.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.principal import is_principal
from frostgate_server.domain.roles import Role
from frostgate_server.domain.toml_text import parse_toml
from frostgate_server.observability.one_line import on_one_line

from .usable import Usable

MOST_PARTNERS = 100
_KEYS = {"principal", "role", "partners"}
_PARTNER_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """A caller. `partners` are those whose customers it may see and change; None: all partners.

    `role` is None if its table was ignored.
    """

    principal: str
    role: Role | None
    partners: frozenset[str] | None = None


Callers = Mapping[str, KnownCaller]
"""The callers in the file, by principal."""


class CallersError(StartupError):
    """No table can be used. The message names every problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class _Problem(Exception):
    """A table cannot be used."""


def parse_callers(tables: object) -> Usable[Callers]:
    """The callers of the file's tables, and the reason why each other table is ignored.

    Raises CallersError if no table can be used.
    """
    if not isinstance(tables, list) or not tables:
        raise CallersError(["callers must be [[callers]] tables, at least one"])
    names = [_name(table) for table in tables]
    count = Counter(names)
    callers: dict[str, KnownCaller] = {}
    problems = []
    for number, (name, table) in enumerate(zip(names, tables, strict=True), start=1):
        try:
            caller = _caller(table)
            if count[name] > 1:
                raise _Problem(f"{name} is listed {count[name]} times, so it has no role")
        except _Problem as problem:
            problems.append(f"callers {number}: {problem}")
            caller = KnownCaller(name, None, frozenset())
        callers[name] = caller
    if all(caller.role is None for caller in callers.values()):
        raise CallersError(problems)
    return Usable(callers, tuple(problems))


def _name(table: object) -> str:
    """The principal that a table names, even if the table cannot be used; empty if there is none.

    Host names in certificates are compared in lower case. So names that differ only in case are the same.
    """
    principal = table.get("principal") if isinstance(table, dict) else None
    if not isinstance(principal, str):
        return ""
    host = principal.strip().lower()
    return host if host.startswith("dns:") else principal


def parse_callers_file(file: bytes) -> Usable[Callers]:
    """The callers of a configuration file. Does not read its settings. Raises StartupError."""
    try:
        document = parse_toml(file)
    except ValueError as error:
        raise StartupError(str(error)) from error
    return parse_callers(document.get("callers"))


def _caller(table: object) -> KnownCaller:
    """Parses a table. Raises _Problem with every mistake."""
    if not isinstance(table, dict):
        raise _Problem("is not a table")
    problems = []
    if unknown := sorted(table.keys() - _KEYS):
        problems.append(f"{', '.join(map(on_one_line, unknown))} cannot be set here, only {', '.join(sorted(_KEYS))}")
    principal = table.get("principal")
    if not isinstance(principal, str) or not is_principal(principal):
        problems.append(
            "principal must be spiffe://trust-domain/path, dns:host.name in lower case or sub:SUBJECT, "
            f"but is {principal!r}"
        )
    role = table.get("role")
    if role not in list(Role):
        problems.append(f"role must be one of {', '.join(Role)}, but is {role!r}")
    elif problem := _problem_of_partners(role == Role.PARTNER_CENTER, table):
        problems.append(problem)
    if problems:
        raise _Problem("; ".join(problems))
    partners = table.get("partners", "all")
    return KnownCaller(str(principal), Role(str(role)), None if partners == "all" else frozenset(partners))


def _problem_of_partners(bound: bool, table: dict[str, Any]) -> str:
    """The mistake in `partners`; empty if there is none. A bound role without `partners` is a mistake."""
    if not bound:
        return "partners is for the role partner-center only" if "partners" in table else ""
    partners = table.get("partners")
    if partners == "all":
        return ""
    if (
        not isinstance(partners, list)
        or not 1 <= len(partners) <= MOST_PARTNERS
        or not all(isinstance(partner, str) and _PARTNER_ID.fullmatch(partner) for partner in partners)
    ):
        return f'partners must be a list of 1 to {MOST_PARTNERS} partner ids, or "all", but is {partners!r}'
    return ""
