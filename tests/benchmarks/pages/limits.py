"""The part of the page on what bare servers leave to win: the best echo in Python, and grpc-go's as the limit."""

from benchmarks import figures
from benchmarks.figures import Checks, Result
from benchmarks.pages.tables import show_ratio

_HEAD = """\
| callers | beside | checks/s, to its calls/s | CPU, to its |
|--------:|--------|-------------------------:|------------:|
"""


def limits(result: Result) -> list[str]:
    """The checks as a part of what bare servers do. Nothing for a raw result without the limit."""
    found = [one for one in figures.checks(result) if one.limit]
    if not found:
        return []
    rows = "\n".join(row for one in found for row in _rows(one))
    return [
        f"""\
## The limit of the machine

A bare server in grpc-go shows the limit of these cores: it reads the bytes of a request without parsing them, and
always answers the same bytes. The table compares frostgate, with {found[0].frostgates[0].customers:,} customers, to
this server and to the fastest echo in Python.

{_HEAD}{rows}"""
    ]


def _rows(checks: Checks) -> list[str]:
    frostgate, *_ = checks.frostgates
    others = [other for other in (checks.best_echo, checks.limit) if other]
    return [
        f"| {checks.callers} | {other.subject} | {show_ratio(frostgate, other, figures.rate)} "
        f"| {show_ratio(frostgate, other, figures.cpu_us)} |"
        for other in others
    ]
