"""From raw results to figures: medians with their spread, ratios within a round, and whether the bars are met. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from .identified import PLAINTEXT
from .subjects import GO_ECHO

Run = dict[str, Any]
Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """What was measured several times."""

    middle: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Series:
    """The runs of one entry of a scenario, by round."""

    subject: str
    customers: int | None
    calls: dict[str, Any]
    beside: dict[str, Any] | None
    runs: list[Run]

    @property
    def is_yardstick(self) -> bool:
        """Whether others are compared with it."""
        return self.subject.startswith(("echo ", GO_ECHO)) or self.subject.endswith(f", {PLAINTEXT.name}")

    @property
    def has_cpu(self) -> bool:
        """Whether the server's processes were known, so that their CPU could be counted."""
        return any(run["server_cpu_seconds"] for run in self.runs)

    @property
    def label(self) -> str:
        """What tells it from the others of its scenario."""
        kind = {"batch": f"batches of {self.calls['batch']:,}", "check": "checks", "change": "changes", "call": "calls"}
        others = {"batch": "batches of 1,000", "change": "changes", "list": "listings", "reflect": "reflection streams"}
        beside = f", beside {self.beside['callers']} callers of {others[self.beside['kind']]}" if self.beside else ""
        return f"{self.subject}: {kind[self.calls['kind']]}{beside}"


@dataclass(frozen=True, slots=True)
class Bar:
    """What is asked of a figure, and what came out. A bar is met by the median."""

    what: str
    figure: Spread
    limit: float
    at_least: bool
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the median is on the right side."""
        return self.figure.middle >= self.limit if self.at_least else self.figure.middle <= self.limit


def spread(values: Iterable[float]) -> Spread:
    """Median, smallest and largest."""
    found = list(values)
    return Spread(median(found), min(found), max(found))


def rate(run: Run) -> float:
    """Calls answered OK in a second."""
    return float(run["measured"]["statuses"].get("OK", 0)) / float(run["seconds"])


def items(run: Run) -> float:
    """Checks decided in a second, those in batches too."""
    return float(run["measured"]["items"]) / float(run["seconds"])


def cpu_us(run: Run) -> float:
    """Microseconds of all the server's processes for a call. Calls beside the measured ones count too."""
    groups = [run["measured"], *([run["beside"]] if "beside" in run else [])]
    calls = sum(group["statuses"].get("OK", 0) for group in groups)
    return float(run["server_cpu_seconds"]) * 1e6 / float(calls)


def load_cpu_us(run: Run) -> float:
    """Microseconds of the load for a call."""
    return float(run["load_cpu_seconds"]) * 1e6 / (rate(run) * float(run["seconds"]))


def p50_ms(run: Run) -> float:
    """Milliseconds in which half of the calls are answered."""
    return float(run["measured"]["latency_p50_ns"]) / 1e6


def p99_ms(run: Run) -> float:
    """Milliseconds in which all but one of a hundred are."""
    return float(run["measured"]["latency_p99_ns"]) / 1e6


def longest_ms(run: Run) -> float:
    """Milliseconds of the slowest."""
    return float(run["measured"]["latency_max_ns"]) / 1e6


def scenarios(result: Result) -> list[str]:
    """Their names, in the order measured."""
    return list(dict.fromkeys(run["scenario"] for run in result["runs"]))


def series(result: Result, scenario: str) -> list[Series]:
    """The series of a scenario, in the order of its first round."""
    found: dict[str, Series] = {}
    for run in sorted(
        (run for run in result["runs"] if run["scenario"] == scenario), key=lambda run: int(run["round"])
    ):
        key = repr((run["subject"], run["calls"], run["beside_calls"]))
        empty = Series(run["subject"], run["customers"], run["calls"], run["beside_calls"], [])
        found.setdefault(key, empty).runs.append(run)
    return list(found.values())


def of(one: Series, figure: Callable[[Run], float]) -> Spread:
    """A figure of a series."""
    return spread(map(figure, one.runs))


def ratio(one: Series, other: Series, figure: Callable[[Run], float]) -> Spread:
    """A figure of one series as a part of the other's, round by round."""
    return spread(figure(mine) / figure(its) for mine, its in zip(one.runs, other.runs, strict=True))


def bars(result: Result) -> list[Bar]:
    """All bars."""
    return [
        *_check_bars(result),
        *_batch_bars(result),
        *_size_bars(result),
        *_change_bars(result),
        *_other_bars(result),
    ]


@dataclass(frozen=True, slots=True)
class Checks:
    """The series of the checks of so many callers: the best echo, the limit where it was measured, and the others."""

    callers: int
    best_echo: Series
    limit: Series | None
    frostgates: list[Series]
    peers: list[Series]


def checks(result: Result) -> list[Checks]:
    """The checks for each number of callers, ascending."""
    return [_checks(result, callers) for callers in check_callers(result)]


def _checks(result: Result, callers: int) -> Checks:
    every = series(result, f"checks, {callers} at once")
    limits = [one for one in every if one.subject == GO_ECHO]
    best_echo, *_ = (one for one in every if one.subject.startswith("echo "))
    frostgates = [one for one in every if one.customers is not None]
    peers = [one for one in every if one.calls["kind"] == "call"]
    return Checks(callers, best_echo, limits[0] if limits else None, frostgates, peers)


def _check_bars(result: Result) -> list[Bar]:
    found = []
    for one in checks(result):
        what = f"CheckOperation, {one.callers} at once: checks/s, to the best echo's"
        found.append(Bar(what, ratio(one.frostgates[0], one.best_echo, rate), 0.90, at_least=True))
    echo, frostgate = series(result, "half load")
    what = "CheckOperation at half load: p99, to the echo's"
    return [*found, Bar(what, ratio(frostgate, echo, p99_ms), 2.0, at_least=False)]


def _batch_bars(result: Result) -> list[Bar]:
    single, _, hundred, thousand = series(result, "batches")
    return [
        Bar("Batches of 100: checks/s, to those of single calls", ratio(hundred, single, items), 30.0, at_least=True),
        Bar("Batches of 1,000: checks/s", of(thousand, items), 200_000.0, at_least=True),
    ]


def _size_bars(result: Result) -> list[Bar]:
    found = []
    for one in checks(result):
        smallest, *_, largest = one.frostgates
        what = f"{largest.customers:,} customers, {one.callers} at once: checks/s, to those with {smallest.customers:,}"
        found.append(Bar(what, ratio(largest, smallest, rate), 0.90, at_least=True))
    most = max(start["customers"] for start in result["starts"])
    start = spread(start["seconds"] for start in result["starts"] if start["customers"] == most)
    memory = spread(run["server_peak_rss_bytes"] / 1e6 for run in result["runs"] if run["customers"] == most)
    return [
        *found,
        Bar(f"{most:,} customers: start", start, 2.0, at_least=False, unit="s"),
        Bar(f"{most:,} customers: peak memory of a worker", memory, 300.0, at_least=False, unit="MB"),
    ]


def _change_bars(result: Result) -> list[Bar]:
    together, alone = series(result, "changes, 64 at once")
    longest = of(together, longest_ms)
    quiet, busy = series(result, "during changes")
    return [
        Bar(
            "Changes, 64 at once: changes/s, to one transaction each", ratio(together, alone, rate), 1.7, at_least=True
        ),
        Bar("Changes, 64 at once: p99", of(together, p99_ms), 60.0, at_least=False, unit="ms"),
        Bar("Changes, 64 at once: longest", longest, 1000.0, at_least=False, unit="ms"),
        Bar(
            "1,000 checks/s during 64 callers' changes: p99, to that without",
            ratio(busy, quiet, p99_ms),
            3.0,
            at_least=False,
        ),
    ]


def _other_bars(result: Result) -> list[Bar]:
    alone, *beside = series(result, "beside others")
    kinds = {"batch": "batches of 1,000", "change": "changes", "list": "listings", "reflect": "reflection streams"}
    found = []
    for one in beside:
        assert one.beside is not None
        what = f"Checks beside 64 callers of {kinds[one.beside['kind']]}: checks/s, to those alone"
        found.append(Bar(what, ratio(one, alone, rate), 0.5, at_least=True))
    return found


def check_callers(result: Result) -> list[int]:
    """Numbers of callers for which checks were measured, ascending."""
    return sorted({run["calls"]["callers"] for run in result["runs"] if run["scenario"].startswith("checks, ")})
