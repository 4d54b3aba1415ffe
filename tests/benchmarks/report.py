"""Writes docs/benchmarks.md and its plots from a raw result: every figure in it comes from there.

`report.py` takes the newest raw result; `report.py --check` fails if the page is not what its own raw result makes.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import figures, plots
from benchmarks.figures import Bar, Result, Run, Series, Spread

_ROOT = Path(__file__).parent.parent.parent
RESULTS = Path(__file__).parent / "results"
PAGE = _ROOT / "docs" / "benchmarks.md"
PLOTS = _ROOT / "docs" / "benchmarks"
PERFORMANCE = _ROOT / "docs" / "performance.md"

_LINK = re.compile(r"\]\(\.\./tests/benchmarks/results/([\w.-]+\.json)\)")
_PROFILE = re.compile(r"(?<=<!-- profile -->\n).*(?=<!-- /profile -->)", re.DOTALL)
_PROFILE_LINK = re.compile(r"\]\(\.\./tests/benchmarks/results/(profile-[\w.-]+\.json)\)")
_HEAD = """\
| what | calls/s | checks/s | p50 ms | p99 ms | longest ms | CPU µs/call |
|------|--------:|---------:|-------:|-------:|-----------:|------------:|
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


def newest(pattern: str = "2*.json") -> Path | None:
    """The raw result that was measured last, if there is one."""

    def started(raw: Path) -> str:
        return str(json.loads(raw.read_text("utf-8"))["started"])

    return max(RESULTS.glob(pattern), key=started, default=None)


def write(raw: Path) -> None:
    """Writes the page and its plots."""
    result = json.loads(raw.read_text("utf-8"))
    PAGE.write_text(page(raw, result), "utf-8")
    PLOTS.mkdir(exist_ok=True)
    plots.bars(PLOTS / "bars.svg", figures.bars(result))
    _plot_scenarios(result)
    identities = newest("identities-*.json")
    if identities:
        _plot_scenarios(json.loads(identities.read_text("utf-8")))


def _plot_scenarios(result: Result) -> None:
    for scenario in figures.scenarios(result):
        figure, unit = (figures.items, "checks/s") if scenario == "batches" else (figures.rate, "calls/s")
        plots.horizontal(_plot(scenario), scenario.capitalize(), unit, figures.series(result, scenario), figure)


def is_current() -> bool:
    """Whether the page is what this script makes of the raw result that the page names."""
    written = PAGE.read_text("utf-8") if PAGE.exists() else ""
    named = _LINK.search(written)
    if named is None or not (RESULTS / named[1]).exists():
        return False
    return page(RESULTS / named[1], json.loads((RESULTS / named[1]).read_text("utf-8"))) == written


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
    total = " | ".join(f"**{_cpu(server):.0f}**" for server in servers.values())
    return f"""\
Microseconds of CPU, over all the server's processes, with {result["callers"]} callers, from
[the raw result](../tests/benchmarks/results/{raw.name}) at commit {result["commit"][:9]}:

| part | {" | ".join(servers)} |
|------|{"---:|" * len(servers)}
{chr(10).join(rows)}
| **all** | {total} |

The steps of a check that are frostgate's own, one after the other in a process that does nothing else:

{_steps(result["steps"])}

And those of a change that shares its group with others:

{_steps(result["steps_of_a_change"])}
"""


def _steps(steps: dict[str, float]) -> str:
    rows = [f"| {step} | {microseconds:.1f} |" for step, microseconds in steps.items()]
    return "\n".join(["| step | µs |", "|------|---:|", *rows])


def _part(server: dict[str, Any], part: str) -> str:
    share = server["samples"].get(part, 0) / sum(server["samples"].values())
    return f"{share * _cpu(server):.0f}"


def _cpu(server: dict[str, Any]) -> float:
    return float(server["server_cpu_seconds"]) * 1e6 / float(server["measured"]["statuses"]["OK"])


def page(raw: Path, result: Result) -> str:
    """The page that a raw result makes."""
    sections = [_section(result, scenario) for scenario in figures.scenarios(result)]
    parts = [_introduction(raw, result), _bars(result), *sections, _starts(result)]
    parts += [*_freshness(), *_identities(), _method(result)]
    return "\n\n".join(parts) + "\n"


def _introduction(raw: Path, result: Result) -> str:
    return f"""\
# Benchmarks

How fast frostgate answers with all its workers, beside what gRPC for Python can do at all: the *echo* is a bare server
that reads the same requests and always writes the same answer.

`make bench` measures this, and `tests/benchmarks/report.py` writes this page from
[the raw result](../tests/benchmarks/results/{raw.name}) of {result["started"][:10]}. Figures are medians of
{result["options"]["rounds"]} rounds, with the smallest and the largest in brackets. Ratios are taken within a round.
What they come from, and what was tried, is told in [performance.md](performance.md)."""


def _bars(result: Result) -> str:
    rows = "\n".join(map(_bar, figures.bars(result)))
    return f"""\
## The bars

A bar is met by the median.

| what | measured | bar | |
|------|---------:|----:|-|
{rows}

![How far each bar is met](benchmarks/bars.svg)"""


def _bar(bar: Bar) -> str:
    digits = 2 if bar.figure.middle < 100 else 0
    unit = f" {bar.unit}" if bar.unit else ""
    limit = f"{'≥' if bar.at_least else '≤'} {f'{bar.limit:,.2f}'.rstrip('0').rstrip('.')}{unit}"
    verdict = "met" if bar.met else "**not met**"
    return f"| {bar.what} | {_spread(bar.figure, digits)}{unit} | {limit} | {verdict} |"


def _section(result: Result, scenario: str) -> str:
    rows = "\n".join(map(_row, figures.series(result, scenario)))
    title = scenario.capitalize()
    return f"## {title}\n\n{_HEAD}{rows}\n\n![{title}](benchmarks/{_plot(scenario).name})"


def _row(one: Series) -> str:
    def cell(figure: Any, digits: int) -> str:
        return _spread(figures.of(one, figure), digits)

    cells = [
        one.label,
        cell(figures.rate, 0),
        cell(figures.items, 0) if one.calls["kind"] == "batch" else "",
        cell(lambda run: run["measured"]["latency_p50_ns"] / 1e6, 2),
        cell(figures.p99_ms, 2),
        cell(lambda run: run["measured"]["latency_max_ns"] / 1e6, 1),
        "" if one.beside else cell(figures.cpu_us, 0),
    ]
    return f"| {' | '.join(cells)} |"


def _starts(result: Result) -> str:
    rows = []
    for customers in sorted({start["customers"] for start in result["starts"]}):
        seconds = figures.spread(start["seconds"] for start in result["starts"] if start["customers"] == customers)
        runs = [run["server_peak_rss_bytes"] / 1e6 for run in result["runs"] if run["customers"] == customers]
        rows.append(f"| {customers:,} | {_spread(seconds, 2)} | {_spread(figures.spread(runs), 0)} |")
    return """\
## Start and memory

From the command until it says that it is ready, and the peak of the process that took the most, over all runs.

| customers | start, s | peak memory of a worker, MB |
|----------:|---------:|----------------------------:|
""" + "\n".join(rows)


def is_fresh(result: Result) -> bool:
    """Whether every pair of a raw result of freshness.py was answered, enough by two workers, and none was stale."""
    measured = result["measured"]
    across = measured["crossed"] >= 0.4 * measured["items"]
    return across and measured["stale"] == 0 and set(measured["statuses"]) == {"OK"}


def _freshness() -> list[str]:
    """The newest run of pairs, if there is one."""
    raw = newest("freshness-*.json")
    if raw is None:
        return []
    result = json.loads(raw.read_text("utf-8"))
    measured = result["measured"]
    statuses = ", ".join(f"{status} {count:,}" for status, count in measured["statuses"].items())
    return [
        f"""\
## Freshness

A change, and once it is answered a check of the same customer by another connection: is what one worker acknowledged
seen by a check on another that begins later? `make freshness` measures it, and
[the raw result](../tests/benchmarks/results/{raw.name}) says, at commit {result["commit"][:9]}:

| pairs | answered by two workers | stale | statuses |
|------:|------------------------:|------:|----------|
| {measured["items"]:,} | {measured["crossed"]:,} | {measured["stale"]:,} | {statuses} |"""
    ]


def _identities() -> list[str]:
    """The newest measurement of identities, if there is one."""
    raw = newest("identities-*.json")
    return [identities(raw, json.loads(raw.read_text("utf-8")))] if raw else []


def identities(raw: Path, result: Result) -> str:
    """What it costs to know who calls, of a raw result of run.py."""
    options, runs = result["options"], result["runs"]
    tables = "\n\n".join(_identities_table(result, scenario) for scenario in figures.scenarios(result))
    calls = sum(sum(run["measured"]["statuses"].values()) for run in runs)
    return f"""\
## Identities

What it costs to know who calls: the same checks in plaintext, over TLS to anybody, and by callers of the role
control-plane, who show a client certificate (mTLS), one token for all of them, or a new token with each call: one that
the server has not seen and has to verify. `make bench` measures it, `--identities` it alone, and
[the raw result](../tests/benchmarks/results/{raw.name}) of {result["started"][:10]} says:

{tables}

- It has {options["rounds"]} rounds; a run counts {options["seconds"]:g} s, after {options["warmup"]:g} s of warm-up.
- Servers have {result["workers"]} workers and {min(options["customers"]):,} customers. All else is as told below.
- Connections stay open: what a handshake costs is not in the figures.
- The load shares the cores with the server, so that what it spends on TLS itself is missing for calls.
- New tokens are verified by threads that give way to checks: callers who send them wait for that too.
- Before each run a call had to be answered OK, and that of a caller who shows nothing as it should be there.
- Of {calls:,} calls, {sum(run["wrong"] for run in runs):,} ended with another status than OK, or without a decision
  on a customer that exists.
{_measured_on(result)}"""


def _identities_table(result: Result, scenario: str) -> str:
    plaintext, *_ = every = figures.series(result, scenario)
    title = scenario.capitalize()
    rows = "\n".join(_identities_row(one, plaintext) for one in every)
    return f"""\
### {title}

| what | calls/s | to plaintext | p50 ms | p99 ms | server CPU µs/call | to plaintext | load CPU µs/call |
|------|--------:|-------------:|-------:|-------:|-------------------:|-------------:|-----------------:|
{rows}

![{title}](benchmarks/{_plot(scenario).name})"""


def _identities_row(one: Series, plaintext: Series) -> str:
    def to_plaintext(figure: Callable[[Run], float]) -> str:
        return "" if one is plaintext else _spread(figures.ratio(one, plaintext, figure), 2)

    cells = [
        one.label,
        _spread(figures.of(one, figures.rate), 0),
        to_plaintext(figures.rate),
        _spread(figures.of(one, lambda run: run["measured"]["latency_p50_ns"] / 1e6), 2),
        _spread(figures.of(one, figures.p99_ms), 2),
        _spread(figures.of(one, figures.cpu_us), 0),
        to_plaintext(figures.cpu_us),
        _spread(figures.of(one, figures.load_cpu_us), 0),
    ]
    return f"| {' | '.join(cells)} |"


def _method(result: Result) -> str:
    options, machine, runs = result["options"], result["machine"], result["runs"]
    load = figures.spread(run["load_cpu_seconds"] / run["seconds"] for run in runs)
    calls = sum(sum(run["measured"]["statuses"].values()) for run in runs)
    return f"""\
## How it is measured

- A round measures the runs of a scenario one right after the other, each with new processes; every second round goes
  backwards. A run counts {options["seconds"]:g} s, after {options["warmup"]:g} s of warm-up.
- frostgate runs with its default settings: a worker for each core, {result["threads"]} threads for checks in each; on
  loopback and without TLS. An *echo 2×3* is two processes that share a port, with three threads each; the best of
  several makes, *{result["best_echo"]}* here, is the yardstick. It has the same gRPC options and messages, and answers
  {result["echo_answer_bytes"]} bytes, as many as frostgate's answers have on average.
- A database is read through before each run, so that the system's cache holds it.
- A caller waits for an answer before it asks again, unless a rate is given: then calls begin when they are due, and
  their latency counts from there. Callers of a kind share at most 16 connections, which the system spreads over the
  workers.
- Customers are drawn evenly from the whole table: a third is normal, a third has its account frozen, and a third its
  resources too. What is asked is drawn evenly from the {result["checks"]} pairs of billing mode and operation that
  exist. Changes freeze and unfreeze customers in turn, with a request_id each.
- The load is a compiled program on the same machine, and takes {_spread(load, 2)} of its {machine["cores"]} cores.
- Of {calls:,} calls, {sum(run["wrong"] for run in runs):,} ended with another status than OK, or a check without a
  decision on a customer that exists, those beside the measured ones included.

## What it was measured on

{_measured_on(result)}"""


def _measured_on(result: Result) -> str:
    machine = result["machine"]
    changes = ", with changes that were not committed" if result["dirty"] else ""
    versions = ", ".join(f"{name} {version.removeprefix('go')}" for name, version in result["versions"].items())
    return f"""\
- Commit {result["commit"][:9]}{changes}: `{result["command"]}`
- {machine["cpu"]}, {machine["cores"]} cores, {machine["memory_bytes"] / 2**30:.0f} GiB of memory, {machine["system"]}
- {versions}
- Load average when it began: {machine["load_average_before"]:.2f}"""


def _plot(scenario: str) -> Path:
    return PLOTS / f"{re.sub(r'[^a-z0-9]+', '-', scenario)}.svg"


def _spread(spread: Spread, digits: int) -> str:
    return f"{spread.middle:,.{digits}f} ({spread.least:,.{digits}f}–{spread.most:,.{digits}f})"


if __name__ == "__main__":
    sys.exit(main())
