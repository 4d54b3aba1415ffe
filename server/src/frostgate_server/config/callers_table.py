"""Who may call: the `[[callers]]` tables of the configuration file. Every problem is named, all at once."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.principal import is_principal
from frostgate_server.domain.roles import Role

MOST_PARTNERS = 100
_KEYS = {"principal", "role", "partners"}
_PARTNER_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """A caller with a role. `partners` are those whose customers it may see and change; None: all of them."""

    principal: str
    role: Role
    partners: frozenset[str] | None = None


Callers = Mapping[str, KnownCaller]
"""Those who may call, by principal."""


class CallersError(StartupError):
    """The tables cannot be used. Names every problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class _Problem(Exception):
    """One thing that is wrong with one table."""


def parse_callers(tables: object) -> Callers:
    """The callers of the file's tables. Raises CallersError."""
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise CallersError(["callers must be [[callers]] tables, at least one"])
    callers: dict[str, KnownCaller] = {}
    problems = []
    for number, table in enumerate(tables, start=1):
        try:
            caller = _caller(table)
            if caller.principal in callers:
                raise _Problem(f"{caller.principal} stands there twice")
            callers[caller.principal] = caller
        except _Problem as problem:
            problems.append(f"callers {number}: {problem}")
    if problems:
        raise CallersError(problems)
    return callers


def parse_callers_file(file: bytes) -> Callers:
    """The callers of a configuration file, of which nothing else is looked at. Raises StartupError."""
    try:
        document = tomllib.loads(file.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartupError(f"is no TOML: {error}") from error
    return parse_callers(document.get("callers"))


def _caller(table: dict[str, Any]) -> KnownCaller:
    """Raises _Problem with all that is wrong."""
    problems = []
    if unknown := sorted(table.keys() - _KEYS):
        problems.append(f"{', '.join(unknown)} cannot be set here, only {', '.join(sorted(_KEYS))}")
    principal = table.get("principal")
    if not isinstance(principal, str) or not is_principal(principal):
        problems.append(
            "principal must be spiffe://trust-domain/path, dns:host.name in lower case or sub:SUBJECT, "
            f"is {principal!r}"
        )
    role = table.get("role")
    if role not in list(Role):
        problems.append(f"role must be one of {', '.join(Role)}, is {role!r}")
    elif problem := _problem_of_partners(role == Role.PARTNER_CENTER, table):
        problems.append(problem)
    if problems:
        raise _Problem("; ".join(problems))
    partners = table.get("partners", "all")
    return KnownCaller(str(principal), Role(str(role)), None if partners == "all" else frozenset(partners))


def _problem_of_partners(bound: bool, table: dict[str, Any]) -> str:
    """What is wrong with the partners; nothing if nothing is. Nobody gets all of them by leaving them out."""
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
        return f'partners must be a list of 1 to {MOST_PARTNERS} partner ids, or "all", is {partners!r}'
    return ""
