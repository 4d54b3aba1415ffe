"""From raw results to figures: medians with their spread, and whether the bars are met. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

ECHO_BAR = 0.75
"""Checks answered in a time, at least, as a part of those that the echo answers."""

SIZE_BAR = 0.90
"""Checks answered with the larger table, at least, as a part of those with the smaller one."""

Run = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """What was measured several times."""

    middle: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Line:
    """One server's figures with one number of callers. The echo has no ratio and no customers."""

    customers: int | None
    calls_per_second: Spread
    to_echo: Spread | None
    p50_ms: Spread
    p99_ms: Spread
    cpu_us_per_call: Spread
    peak_rss_bytes: int


def rate(run: Run) -> float:
    """Calls answered OK in a second."""
    return float(run["statuses"].get("OK", 0)) / float(run["seconds"])


def spread(values: Iterable[float]) -> Spread:
    """Median, smallest and largest."""
    found = list(values)
    return Spread(median(found), min(found), max(found))


def callers(result: dict[str, Any]) -> list[int]:
    """Numbers of callers, in the order measured."""
    return list(dict.fromkeys(run["callers"] for run in result["runs"]))


def sizes(result: dict[str, Any]) -> list[int]:
    """Numbers of customers, ascending."""
    return sorted({run["customers"] for run in result["runs"] if run["customers"] is not None})


def lines(result: dict[str, Any], callers: int) -> list[Line]:
    """The echo's line, and one for each size of table."""
    return [_line(result, callers, customers) for customers in (None, *sizes(result))]


def ratio(result: dict[str, Any], callers: int, customers: int | None, to: int | None) -> Spread:
    """Calls in a second with one table, as a part of those with another (None: of the echo), round by round."""
    above, below = (_chosen(result, callers, which) for which in (customers, to))
    return spread(rate(one) / rate(other) for one, other in zip(above, below, strict=True))


def meets_echo_bar(to_echo: Spread) -> bool:
    """By the median."""
    return to_echo.middle >= ECHO_BAR


def meets_size_bar(to_smaller: Spread) -> bool:
    """By the median."""
    return to_smaller.middle >= SIZE_BAR


def within_spread(to_smaller: Spread) -> bool:
    """Whether some rounds were faster with the larger table and some slower: they show no difference."""
    return to_smaller.least <= 1.0 <= to_smaller.most


def load_cores(result: dict[str, Any], callers: int) -> Spread:
    """Cores that the load took."""
    runs = [run for run in result["runs"] if run["callers"] == callers]
    return spread(run["load_cpu_seconds"] / run["seconds"] for run in runs)


def _line(result: dict[str, Any], callers: int, customers: int | None) -> Line:
    runs = _chosen(result, callers, customers)

    def of(figure: Callable[[Run], float]) -> Spread:
        return spread(map(figure, runs))

    return Line(
        customers=customers,
        calls_per_second=of(rate),
        to_echo=None if customers is None else ratio(result, callers, customers, None),
        p50_ms=of(lambda run: float(run["latency_p50_ns"]) / 1e6),
        p99_ms=of(lambda run: float(run["latency_p99_ns"]) / 1e6),
        cpu_us_per_call=of(lambda run: float(run["server_cpu_seconds"]) * 1e6 / (rate(run) * float(run["seconds"]))),
        peak_rss_bytes=max(run["server_peak_rss_bytes"] for run in runs),
    )


def _chosen(result: dict[str, Any], callers: int, customers: int | None) -> list[Run]:
    runs = [run for run in result["runs"] if (run["callers"], run["customers"]) == (callers, customers)]
    return sorted(runs, key=lambda run: int(run["round"]))
