"""The tables of the profile, in the page on performance."""

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.pages.raw_results import RESULTS, ROOT

PERFORMANCE = ROOT / "docs" / "performance.md"


_PROFILE = re.compile(r"(?<=<!-- profile -->\n).*(?=<!-- /profile -->)", re.DOTALL)


_PROFILE_LINK = re.compile(r"\]\(\.\./tests/benchmarks/results/(profile-[\w.-]+\.json)\)")

_STEPS = {
    "its shape is checked": "the fields are validated",
    "the state is read, and held against its checksum": "the state is read, and its checksum is verified",
    "the cell's bytes and the revision are put together": "the revision is appended to the cell's bytes",
    "all of it": "all steps",
    "it is made, in a savepoint: customer, event, answer": "customer, event and answer are written in a savepoint",
    "its part of the commit of 32: the log and the head file are written, and waited for": (
        "its part of the commit of 32 changes: the log and the head file are written to disk"
    ),
}
"""The names of steps in older raw results, and the names that the page has for them."""


def write_profile(raw: Path) -> None:
    """Writes the tables of the page on performance."""
    written = PERFORMANCE.read_text("utf-8")
    PERFORMANCE.write_text(_PROFILE.sub(lambda _: profile_tables(raw), written), "utf-8")


def profile_is_current() -> bool:
    """Whether the tables of the page on performance are made of the raw result that they name."""
    tables = _PROFILE.search(PERFORMANCE.read_text("utf-8"))
    named = _PROFILE_LINK.search(tables[0]) if tables else None
    return tables is not None and named is not None and profile_tables(RESULTS / named[1]) == tables[0]


def profile_tables(raw: Path) -> str:
    """Where the time of a call goes, of a raw result of profile_checks.py."""
    result = json.loads(raw.read_text("utf-8"))
    servers = result["servers"]
    first, *_ = servers.values()
    parts = sorted(first["samples"], key=lambda part: -first["samples"][part])
    rows = [f"| {part} | {' | '.join(_part(server, part) for server in servers.values())} |" for part in parts]
    total = " | ".join(f"**{show_cpu(server):.0f}**" for server in servers.values())
    return f"""\
This table shows microseconds of CPU of all the server's processes, with {result["callers"]} callers, from
[the raw result](../tests/benchmarks/results/{raw.name}) at commit {result["commit"][:9]}:

| part | {" | ".join(servers)} |
|------|{"---:|" * len(servers)}
{chr(10).join(rows)}
| **all** | {total} |

This table shows frostgate's own steps of a check, measured one after the other in a process that does nothing else:

{_steps(result["steps"])}

This table shows the steps of a change that is committed in a group with others:

{_steps(result["steps_of_a_change"])}
"""


def _steps(steps: dict[str, float]) -> str:
    rows = [f"| {_STEPS.get(step, step)} | {microseconds:.1f} |" for step, microseconds in steps.items()]
    return "\n".join(["| step | µs |", "|------|---:|", *rows])


def _part(server: dict[str, Any], part: str) -> str:
    share = server["samples"].get(part, 0) / sum(server["samples"].values())
    return f"{share * show_cpu(server):.0f}"


def show_cpu(server: dict[str, Any]) -> float:
    return float(server["server_cpu_seconds"]) * 1e6 / float(server["measured"]["statuses"]["OK"])
