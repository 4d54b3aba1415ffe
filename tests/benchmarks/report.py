"""Writes docs/benchmarks.md and its plots from a raw result: every figure in it comes from there.

`report.py` takes the newest raw result; `report.py --check` fails if the page is not what its own raw result makes.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import figures
from benchmarks.figures import Bar, Result
from benchmarks.pages import plots
from benchmarks.pages.beside_peers import beside_peers
from benchmarks.pages.identities import identities
from benchmarks.pages.limits import limits
from benchmarks.pages.overload import overload
from benchmarks.pages.raw_results import PLOTS, RESULTS, ROOT, describe_runs, newest, plot_link, show_spread
from benchmarks.pages.tables import scenario_section

PAGE = ROOT / "docs" / "benchmarks.md"


_LINK = re.compile(r"\]\(\.\./tests/benchmarks/results/([\w.-]+\.json)\)")


def main() -> int:
    """Gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, but fail if the page is not up to date")
    if parser.parse_args().check:
        if is_current():
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not what its raw result makes: run report.py", file=sys.stderr)
        return 1
    raw = newest()
    if raw is None:
        print(f"there is no raw result in {RESULTS.relative_to(ROOT)}: run `make bench`", file=sys.stderr)
        return 1
    write(raw)
    return 0


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
        plots.horizontal(plot_link(scenario), scenario.capitalize(), unit, figures.series(result, scenario), figure)


def is_current() -> bool:
    """Whether the page is what this script makes of the raw result that the page names."""
    written = PAGE.read_text("utf-8") if PAGE.exists() else ""
    named = _LINK.search(written)
    if named is None or not (RESULTS / named[1]).exists():
        return False
    return page(RESULTS / named[1], json.loads((RESULTS / named[1]).read_text("utf-8"))) == written


def page(raw: Path, result: Result) -> str:
    """The page that a raw result makes."""
    sections = [scenario_section(result, scenario) for scenario in figures.scenarios(result)]
    parts = [_introduction(raw, result), _bars(result), *limits(result), *sections, _starts(result)]
    parts += [*_freshness(), *_newest("overload-*.json", overload), *_newest("peers-*.json", beside_peers)]
    parts += [*_newest("identities-*.json", identities), _method(result)]
    return "\n\n".join(parts) + "\n"


def _introduction(raw: Path, result: Result) -> str:
    return f"""\
# Benchmarks

This page shows how fast frostgate answers with all its workers. It compares frostgate with *echoes*: bare gRPC servers
that read the same requests and always write the same answer.

`make bench` measures this, and `tests/benchmarks/report.py` writes this page from
[the raw result](../tests/benchmarks/results/{raw.name}) of {result["started"][:10]}. Figures are medians of
{result["options"]["rounds"]} rounds, with the smallest and the largest in brackets. In a label such as
"checks/s, to the best echo's", the word "to" means a ratio. A ratio compares runs of one round.
[performance.md](performance.md) explains the figures, and lists attempts without effect."""


def _bars(result: Result) -> str:
    rows = "\n".join(map(_bar, figures.bars(result)))
    return f"""\
## The bars

A bar is a limit for a figure. It is met if the median meets it.

| what | measured | bar | |
|------|---------:|----:|-|
{rows}

![How far each bar is met](benchmarks/bars.svg)"""


def _bar(bar: Bar) -> str:
    digits = 2 if bar.figure.middle < 100 else 0
    unit = f" {bar.unit}" if bar.unit else ""
    limit = f"{'≥' if bar.at_least else '≤'} {f'{bar.limit:,.2f}'.rstrip('0').rstrip('.')}{unit}"
    verdict = "met" if bar.met else "**not met**"
    return f"| {bar.what} | {show_spread(bar.figure, digits)}{unit} | {limit} | {verdict} |"


def _starts(result: Result) -> str:
    rows = []
    for customers in sorted({start["customers"] for start in result["starts"]}):
        seconds = figures.spread(start["seconds"] for start in result["starts"] if start["customers"] == customers)
        runs = [run["server_peak_rss_bytes"] / 1e6 for run in result["runs"] if run["customers"] == customers]
        rows.append(f"| {customers:,} | {show_spread(seconds, 2)} | {show_spread(figures.spread(runs), 0)} |")
    return """\
## Start and memory

The start is the time from the command until the server prints that it is ready. The memory is the peak of the largest
worker of all runs.

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
    cpu = figures.cpu_us(result) / 2
    return [
        f"""\
## Freshness

Each pair is a change, and then a check of the same customer over another connection. The check begins when the change
is answered, often on another worker. A check that does not see the change is stale. `make freshness` measures this.
These are the figures of [the raw result](../tests/benchmarks/results/{raw.name}) at commit {result["commit"][:9]}:

| pairs | answered by two workers | stale | statuses | CPU µs/call |
|------:|------------------------:|------:|----------|------------:|
| {measured["items"]:,} | {measured["crossed"]:,} | {measured["stale"]:,} | {statuses} | {cpu:,.0f} |"""
    ]


def _newest(pattern: str, part: Callable[[Path, Result], str]) -> list[str]:
    """The part that is made of the newest raw result of a kind, if there is one."""
    raw = newest(pattern)
    return [part(raw, json.loads(raw.read_text("utf-8")))] if raw else []


def _method(result: Result) -> str:
    options, machine, runs = result["options"], result["machine"], result["runs"]
    load = figures.spread(run["load_cpu_seconds"] / run["seconds"] for run in runs)
    calls = sum(sum(run["measured"]["statuses"].values()) for run in runs)
    best = ", ".join(f"*{one.best_echo.subject}* with {one.callers}" for one in figures.checks(result))
    return f"""\
## How it is measured

- A round measures the runs of a scenario directly one after the other, each with new processes. Every second round
  has the reverse order. A run is measured for {options["seconds"]:g} s, after {options["warmup"]:g} s of warm-up.
- frostgate runs with its default settings: one worker for each core, with {result["threads"]} threads for checks each.
  It listens on loopback, without TLS.
- An *echo 2×3* has two processes that share a port, with three threads each. The yardstick is the fastest of several
  kinds of echoes, for each number of callers:
  {best} callers.
  The echoes have the same gRPC options and messages as frostgate. Their answers have
  {result["echo_answer_bytes"]} bytes, the average of frostgate's answers.
- In an echo of *threads*, as *echo 2×3*, gRPC gives each call a thread, which waits for the message. In a *queued*
  echo, a call gets a thread when its message has arrived. In a *loop*, one polling thread answers every call on a
  completion queue of gRPC's C layer. *asyncio* and *uvloop* echoes have an event loop.
- CPU is the CPU time of all processes of the server, divided by the number of answered calls. Calls of other callers
  beside the measured ones count too.
- The whole database is read before each run, so that it is in the cache of the operating system.
- A caller waits for an answer before it calls again. If the scenario has a fixed rate, calls begin when they are due,
  and latency is measured from this time. Callers of one kind share at most 16 connections. The operating system spreads
  the connections over the workers.
- Customers are chosen evenly at random from all customers. A third of them are normal, a third have a frozen account,
  and a third also have frozen resources. Checks are chosen evenly at random from the {result["checks"]} pairs of
  billing mode and operation that exist. Changes freeze and unfreeze customers in turn, each with a request_id.
- The load is a compiled program on the same machine, and takes {show_spread(load, 2)} of its {machine["cores"]} cores.
- Of {calls:,} calls, {sum(run["wrong"] for run in runs):,} ended with another status than OK, or were checks of an
  existing customer whose answer had no decision. Calls beside the measured ones are included.

## Machine and versions

{describe_runs(result)}"""


if __name__ == "__main__":
    sys.exit(main())
