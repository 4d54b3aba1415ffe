"""Finds environment variables that look like settings but are not: often settings with a spelling error."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher

from frostgate_server.observability.one_line import on_one_line

PREFIX = "FROSTGATE_"

_OF_CLIENTS = ("FROSTGATE_CLIENT_", "FROSTGATE_PORT", "FROSTGATE_SERVICE_")
"""Prefixes of variables for callers: of the client, and of a Kubernetes service `frostgate`."""

_OF_SERVICES = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_\w+)?)", re.ASCII)
"""The variables that Kubernetes sets for any other service, such as `frostgate-server`."""

_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")
"""The value of the variable FROSTGATE_SERVER_PORT of such a service."""


def find_unknown_variables(environment: Mapping[str, str], known: Iterable[str]) -> Iterator[str]:
    """One sentence for each variable with the prefix that is not `known`. It names the nearest setting."""
    names = {name.removeprefix(PREFIX): name for name in known}
    for variable, value in sorted(environment.items()):
        if variable.startswith(PREFIX) and variable not in names.values() and not _is_foreign(variable, value):
            nearest = names[_nearest(variable.removeprefix(PREFIX), names)]
            shown = on_one_line(variable)
            yield f"environment variable {shown} is not a setting and has no effect: the nearest setting is {nearest}"


def _is_foreign(variable: str, value: str) -> bool:
    """Whether the variable is known to be for another program."""
    if variable.startswith(_OF_CLIENTS) or _OF_SERVICES.fullmatch(variable):
        return True
    return variable.endswith("_PORT") and _SERVICE_URL.match(value) is not None


def _nearest(name: str, known: Iterable[str]) -> str:
    """The most similar name. Names that are a prefix of the variable's name, or the reverse, come first."""
    return max(
        known,
        key=lambda one: (one.startswith(name) or name.startswith(one), SequenceMatcher(None, name, one).ratio()),
    )
