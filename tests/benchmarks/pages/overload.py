"""The part of the page on overload, of a raw result of overload.py."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Result, Run, Spread, spread
from benchmarks.pages.raw_results import describe_runs, show_spread
from benchmarks.saturation.campaign import goodput

_LEAST_GOODPUT = 0.80
_MOST_MEMORY = 1.10
_LONGEST_RETURN = 2.0

_OVERLOADED, _CANCELLED, _EXPIRED = "ResourceExhausted OVERLOADED", "Canceled", "DeadlineExceeded"
_TOLD_APART = {"OK", _OVERLOADED, _CANCELLED, _EXPIRED}

_HEAD = """\
| loop | callers | offered/s | in time/s | to the peak | p99 of admitted, ms | longest, ms | CPU µs/call | load CPUs |
|------|--------:|----------:|----------:|------------:|--------------------:|------------:|------------:|----------:|
"""

_STATUSES = """\
| loop | callers | OK | OVERLOADED | CANCELLED | DEADLINE_EXCEEDED | others | missed | MB before | MB, most | back, s |
|------|--------:|---:|-----------:|----------:|------------------:|-------:|-------:|----------:|---------:|--------:|
"""


@dataclass(frozen=True, slots=True)
class Row:
    """The runs of one load, of all rounds."""

    loop: str
    times: int
    callers: int
    runs: list[Run]


def overload(raw: Path, result: Result) -> str:
    """The figures of a server with more callers than it can answer."""
    return f"""\
## Overload

The peak is {result["peak"]:,.0f} checks/s that are answered within {result["deadline"] * 1000:.0f} ms, the deadline of
every check. {result["saturating_callers"]} callers reach the peak. `make campaign-overload` loads a server with as many
callers, and with 5 and 20 times as many. These are the figures of
[the raw result](../tests/benchmarks/results/{raw.name}) of {result["started"][:10]}:

{overload_tables(result)}"""


def overload_tables(result: Result) -> str:
    """The tables, whether each bar is met, and how it was measured."""
    rows = overload_rows(result)
    peak = float(result["peak"])
    bars = "\n".join(f"- {what}: {'met' if met else '**not met**'}" for what, met in overload_bars(result))
    options = result["options"]
    lost = sum(run["workers_lost"] for run in result["runs"])
    return f"""\
{_HEAD}{chr(10).join(_row(row, peak) for row in rows)}

{_STATUSES}{chr(10).join(map(_statuses_row, rows))}

{bars}
- In a closed loop, a caller calls again when it is answered. A refused caller first waits for the time in RetryInfo.
  In an open loop, a caller always calls at the rate of a caller at the peak. If its previous call is still in progress
  when a call is due, the new call is missed.
- Admitted calls were answered OK, or their deadline passed. CPU is the CPU time of all processes of the server, divided
  by the number of calls that ended, refused calls included.
- MB is the resident memory of all processes of the server together, with the spare worker.
- Back is the time from the end of the load until the server is back to normal. Another caller makes checks all the
  time. The server is back to normal at the first of 20 checks in a row that take at most twice as long as before the
  load.
- {lost:,} processes of the server ended while loads ran. The CPU time of such processes is not counted.
- There were {options["rounds"]} rounds on one server. A run is measured for {options["seconds"]:g} s, after
  {options["warmup"]:g} s of warm-up. The ranges show the smallest and the largest round.
{describe_runs(result)}"""


def overload_rows(result: Result) -> list[Row]:
    """The loads, in the order measured."""
    rows: dict[tuple[str, int], Row] = {}
    for run in result["runs"]:
        key = (run["loop"], run["times"])
        rows.setdefault(key, Row(run["loop"], run["times"], run["callers"], [])).runs.append(run)
    return list(rows.values())


def overload_bars(result: Result) -> list[tuple[str, bool]]:
    """The bars for a server with more callers than saturate it, and whether the medians meet them."""
    peak, deadline = float(result["peak"]), float(result["deadline"])
    found = []
    for row in overload_rows(result):
        if row.times == 1:
            continue
        what = f"{row.loop} loop, {row.times} times the callers"
        admitted = _of(row, _admitted_p99_ms).middle
        returns = _returns(row) and _back(row).most <= _LONGEST_RETURN
        found += [
            (f"{what}: in time ≥ {_LEAST_GOODPUT:.0%} of the peak", _of(row, goodput).middle >= _LEAST_GOODPUT * peak),
            (f"{what}: p99 of admitted calls ≤ {deadline * 1000:.0f} ms", 0 < admitted <= deadline * 1000),
            (f"{what}: memory growth ≤ 10 %", _of(row, _memory_growth).middle <= _MOST_MEMORY),
            (f"{what}: back to normal in ≤ {_LONGEST_RETURN:g} s", returns),
        ]
    return found


def _row(row: Row, peak: float) -> str:
    cells = [
        row.loop,
        f"{row.callers:,}",
        show_spread(_of(row, _offered), 0),
        show_spread(_of(row, goodput), 0),
        show_spread(_of(row, lambda run: goodput(run) / peak), 2),
        show_spread(_of(row, _admitted_p99_ms), 0),
        show_spread(_of(row, lambda run: run["measured"]["latency_max_ns"] / 1e6), 0),
        show_spread(_of(row, _cpu_us), 0),
        show_spread(_of(row, lambda run: run["load_cpu_seconds"] / run["seconds"]), 2),
    ]
    return f"| {' | '.join(cells)} |"


def _statuses_row(row: Row) -> str:
    cells = [
        row.loop,
        f"{row.callers:,}",
        *(f"{_counted(row, [status]):,}" for status in ("OK", _OVERLOADED, _CANCELLED, _EXPIRED)),
        f"{_counted(row, {status for run in row.runs for status in _statuses(run)} - _TOLD_APART):,}",
        f"{sum(run['measured'].get('missed', 0) for run in row.runs):,}",
        show_spread(_of(row, lambda run: run["memory_before_bytes"] / 1e6), 0),
        show_spread(_of(row, lambda run: run["memory_peak_bytes"] / 1e6), 0),
        show_spread(_back(row), 2) if _returns(row) else "never",
    ]
    return f"| {' | '.join(cells)} |"


def _of(row: Row, figure: Callable[[Run], float]) -> Spread:
    return spread(map(figure, row.runs))


def _statuses(run: Run) -> dict[str, int]:
    statuses: dict[str, int] = run["measured"]["statuses"]
    return statuses


def _counted(row: Row, statuses: Iterable[str]) -> int:
    return sum(_statuses(run).get(status, 0) for run in row.runs for status in statuses)


def _offered(run: Run) -> float:
    """Calls a second that ended, and those that were missed."""
    return float((sum(_statuses(run).values()) + run["measured"].get("missed", 0)) / run["seconds"])


def _cpu_us(run: Run) -> float:
    return float(run["server_cpu_seconds"] * 1e6 / max(1, sum(_statuses(run).values())))


def _admitted_p99_ms(run: Run) -> float:
    return float(run["measured"].get("latency_admitted_p99_ns", 0)) / 1e6


def _memory_growth(run: Run) -> float:
    return float(run["memory_peak_bytes"]) / float(run["memory_before_bytes"])


def _returns(row: Row) -> bool:
    return all(run["back_to_normal_seconds"] is not None for run in row.runs)


def _back(row: Row) -> Spread:
    return _of(row, lambda run: float(run["back_to_normal_seconds"]))
