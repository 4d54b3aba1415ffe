"""Writes docs/benchmarks.md from a raw result: every figure in it comes from there.

`report.py` takes the newest raw result; `report.py --check` fails if the page is not what its own raw result makes.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import figures
from benchmarks.figures import Line, Spread

_ROOT = Path(__file__).parent.parent.parent
RESULTS = Path(__file__).parent / "results"
PAGE = _ROOT / "docs" / "benchmarks.md"

_LINK = re.compile(r"\]\(\.\./tests/benchmarks/results/([\w.-]+\.json)\)")
_HEAD = """\
| server | checks/s | to echo | p50 ms | p99 ms | CPU µs/check | peak memory |
|--------|---------:|--------:|-------:|-------:|-------------:|------------:|
"""


def main() -> int:
    """Gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, but fail if the page is not up to date")
    if parser.parse_args().check:
        if is_current():
            return 0
        print(f"{PAGE.relative_to(_ROOT)} is not what its raw result makes: run report.py", file=sys.stderr)
        return 1
    raw = newest()
    if raw is None:
        print(f"there is no raw result in {RESULTS.relative_to(_ROOT)}: run `make bench`", file=sys.stderr)
        return 1
    write(raw)
    return 0


def newest() -> Path | None:
    """The raw result that was measured last, if there is one."""

    def started(raw: Path) -> str:
        return str(json.loads(raw.read_text("utf-8"))["started"])

    return max(RESULTS.glob("*.json"), key=started, default=None)


def write(raw: Path) -> None:
    """Writes the page."""
    PAGE.write_text(page(raw), "utf-8")


def is_current() -> bool:
    """Whether the page is what this script makes of the raw result that the page names."""
    written = PAGE.read_text("utf-8") if PAGE.exists() else ""
    named = _LINK.search(written)
    return named is not None and (RESULTS / named[1]).exists() and page(RESULTS / named[1]) == written


def page(raw: Path) -> str:
    """The page that a raw result makes."""
    result = json.loads(raw.read_text("utf-8"))
    tables = [_table(result, callers) for callers in figures.callers(result)]
    return "\n\n".join([_introduction(raw, result), _bars(result), *tables, _method(result), _setting(result)]) + "\n"


def _introduction(raw: Path, result: dict[str, Any]) -> str:
    return f"""\
# Benchmarks

How fast frostgate answers CheckOperation, as a part of what gRPC for Python can do at all: the *echo* is a bare server
that reads the same requests and always writes the same answer.

`make bench` measures this, and `tests/benchmarks/report.py` writes this page from
[the raw result](../tests/benchmarks/results/{raw.name}) of {result["started"][:10]}. Figures are medians of
{result["options"]["pairs"]} rounds, with the smallest and the largest in brackets."""


def _bars(result: dict[str, Any]) -> str:
    small, large = min(figures.sizes(result)), max(figures.sizes(result))
    rows = []
    for callers in figures.callers(result):
        to_echo = [figures.ratio(result, callers, size, None) for size in (small, large)]
        to_small = figures.ratio(result, callers, large, small)
        echo_cells = [f"{_spread(one, 3)} {_met(figures.meets_echo_bar(one))}" for one in to_echo]
        size_cell = f"{_spread(to_small, 3)} {_size_verdict(to_small)}"
        rows.append(f"| {callers} | {' | '.join([*echo_cells, size_cell])} |")
    return f"""\
## The bars

1. At least {figures.ECHO_BAR} of the checks that the echo answers in the same time, by the median.
2. With {large:,} customers at least {figures.SIZE_BAR} of the checks that are answered with {small:,}, by the median,
   or no difference beyond the spread: rounds lie on both sides of 1.

| callers | {small:,} customers to echo | {large:,} customers to echo | {large:,} to {small:,} customers |
|--------:|----------------------:|----------------------:|----------------------:|
""" + "\n".join(rows)


def _table(result: dict[str, Any], callers: int) -> str:
    rows = "\n".join(_row(line) for line in figures.lines(result, callers))
    load = f"The load took {_spread(figures.load_cores(result, callers), 2)} of {result['machine']['cores']} cores."
    return f"## {callers} caller{'s' if callers > 1 else ''} at once\n\n{_HEAD}{rows}\n\n{load}"


def _row(line: Line) -> str:
    cells = [
        "echo" if line.customers is None else f"frostgate, {line.customers:,} customers",
        _spread(line.calls_per_second, 0),
        "" if line.to_echo is None else _spread(line.to_echo, 2),
        _spread(line.p50_ms, 2),
        _spread(line.p99_ms, 2),
        _spread(line.cpu_us_per_call, 0),
        f"{line.peak_rss_bytes / 2**20:.0f} MiB",
    ]
    return f"| {' | '.join(cells)} |"


def _method(result: dict[str, Any]) -> str:
    options = result["options"]
    runs = result["runs"]
    answers = [run["mean_answer_bytes"] for run in runs if run["customers"] is not None]
    return f"""\
## How it is measured

- A round measures the echo and then frostgate with each table, one right after the other, each in a new process, and
  ratios are taken within a round. A run counts {options["seconds"]:g} s, after {options["warmup"]:g} s of warm-up.
- Each server is one process with {result["threads"]} threads for checks, on loopback and without TLS. Both have the
  same gRPC options and messages. The echo's answer is one of frostgate's own, of {result["echo_answer_bytes"]} bytes;
  those of frostgate had {min(answers):.1f} to {max(answers):.1f} bytes on average.
- A database is read through before each run, so that the system's cache holds it.
- Each caller waits for an answer before it asks again. Callers share at most {options["connections"]} connections.
- Customers are drawn evenly from the whole table: a third is normal, a third has its account frozen, and a third its
  resources too. What is asked is drawn evenly from the {result["checks"]} pairs of billing mode and operation that
  exist.
- The load is a compiled program on the same machine, and shares its {result["machine"]["cores"]} cores with the server.
- Of {sum(_calls(run) for run in runs):,} calls, {sum(run["wrong"] for run in runs):,} ended with another status than
  OK, without a decision, or with an unknown customer."""


def _setting(result: dict[str, Any]) -> str:
    machine = result["machine"]
    changes = ", with changes that were not committed" if result["dirty"] else ""
    versions = ", ".join(f"{name} {version.removeprefix('go')}" for name, version in result["versions"].items())
    return f"""\
## What it was measured on

- Commit {result["commit"][:9]}{changes}: `{result["command"]}`
- {machine["cpu"]}, {machine["cores"]} cores, {machine["memory_bytes"] / 2**30:.0f} GiB of memory, {machine["system"]}
- {versions}
- Load average when it began: {machine["load_average_before"]:.2f}"""


def _calls(run: dict[str, Any]) -> int:
    return sum(run["statuses"].values())


def _size_verdict(to_small: Spread) -> str:
    if not figures.meets_size_bar(to_small) and figures.within_spread(to_small):
        return "met, within the spread only"
    return _met(figures.meets_size_bar(to_small))


def _met(met: bool) -> str:
    return "met" if met else "**not met**"


def _spread(spread: Spread, digits: int) -> str:
    return f"{spread.middle:,.{digits}f} ({spread.least:,.{digits}f}–{spread.most:,.{digits}f})"


if __name__ == "__main__":
    sys.exit(main())
