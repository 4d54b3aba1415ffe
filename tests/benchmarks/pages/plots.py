"""Plots of the figures: SVG files that are the same whenever they are made from the same raw result."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from benchmarks.figures import Bar, Run, Series, Spread, of
from matplotlib.figure import Figure

_BLUE, _GREY, _GREEN, _RED = "#2b6cb0", "#a0aec0", "#2f855a", "#c53030"


def horizontal(path: Path, title: str, unit: str, shown: list[Series], figure: Callable[[Run], float]) -> None:
    """A bar for each series: its median, with the smallest and the largest."""
    spreads = [of(one, figure) for one in shown]
    colours = [_GREY if one.is_yardstick else _BLUE for one in shown]
    _draw(path, title, unit, [one.label for one in shown], spreads, colours)


def bars(path: Path, found: list[Bar]) -> None:
    """How far each bar is met: 1 is exactly, more is better."""
    spreads = [_achieved(bar) for bar in found]
    colours = [_GREEN if bar.met else _RED for bar in found]
    _draw(
        path, "The bars: 1 is exactly met, more is better", "", [bar.what for bar in found], spreads, colours, limit=1.0
    )


def _achieved(bar: Bar) -> Spread:
    figure, limit = bar.figure, bar.limit
    if bar.at_least:
        return Spread(figure.middle / limit, figure.least / limit, figure.most / limit)
    return Spread(limit / figure.middle, limit / figure.most, limit / figure.least)


def _draw(
    path: Path, title: str, unit: str, labels: list[str], spreads: list[Spread], colours: list[str], limit: float = 0.0
) -> None:
    with mpl.rc_context({"svg.hashsalt": "frostgate", "svg.fonttype": "none", "font.size": 9}):
        drawing = Figure(figsize=(9, 0.7 + 0.32 * len(labels)), layout="constrained")
        axes = drawing.subplots()
        places = range(len(labels))
        beyond = [[s.middle - s.least for s in spreads], [s.most - s.middle for s in spreads]]
        axes.barh(
            places, [s.middle for s in spreads], xerr=beyond, color=colours, ecolor="#4a5568", capsize=2, height=0.6
        )
        axes.set_yticks(places, labels)
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.set_title(title, loc="left", fontweight="bold")
        axes.spines[["top", "right"]].set_visible(False)
        if limit:
            axes.axvline(limit, color="black", linewidth=1)
            axes.set_xscale("log")
            axes.minorticks_off()
            axes.set_xticks((0.5, 1, 2, 5, 10), labels=("0.5", "1", "2", "5", "10"))
        drawing.savefig(path, format="svg", metadata={"Date": None})
