"""The table of a scenario, which many parts of the page have."""

from collections.abc import Callable

from benchmarks import figures
from benchmarks.figures import Result, Run, Series
from benchmarks.pages.raw_results import plot_link, show_spread

_HEAD = """\
| what | calls/s | checks/s | p50 ms | p99 ms | longest ms | CPU µs/call |
|------|--------:|---------:|-------:|-------:|-----------:|------------:|
"""


def scenario_section(result: Result, scenario: str, level: str = "##") -> str:
    """A heading, the table of a scenario and its plot."""
    title = scenario.capitalize()
    return f"{level} {title}\n\n{scenario_table(result, scenario)}\n\n![{title}](benchmarks/{plot_link(scenario).name})"


def scenario_table(result: Result, scenario: str) -> str:
    """A row for each series of a scenario."""
    return _HEAD + "\n".join(map(_row, figures.series(result, scenario)))


def show_ratio(one: Series, other: Series, figure: Callable[[Run], float]) -> str:
    """One series as a part of another, round by round. Empty where there is no CPU to compare."""
    if figure is figures.cpu_us and not (one.has_cpu and other.has_cpu):
        return ""
    return show_spread(figures.ratio(one, other, figure), 2)


def _row(one: Series) -> str:
    cells = [
        one.label,
        _cell(one, figures.rate, 0),
        _cell(one, figures.items, 0) if one.calls["kind"] == "batch" else "",
        _cell(one, figures.p50_ms, 2),
        _cell(one, figures.p99_ms, 2),
        _cell(one, figures.longest_ms, 1),
        _cell(one, figures.cpu_us, 0) if one.has_cpu else "",
    ]
    return f"| {' | '.join(cells)} |"


def _cell(one: Series, figure: Callable[[Run], float], digits: int) -> str:
    return show_spread(figures.of(one, figure), digits)
