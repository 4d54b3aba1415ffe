"""The options of a comparison. Every number has a bound, so that a comparison ends."""

import argparse
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.comparison.verdicts import FIGURES, RatioBar

KINDS = {"checks": ["check"], "changes": ["change"], "both": ["check", "change"]}
"""Values of --calls, and the kinds of calls of the load that each one selects."""

DEFAULT_BARS = "rate>=0.97 cpu<=1.03"

PAIRS = 30
SECONDS = 3.0
"""A comparison with fewer pairs or shorter runs is a trial: its raw result is not one to commit."""

EXTENSION = 3
"""How many times as many pairs are measured where a bar is undecided."""

MOST_CALLERS = 300
"""Each caller of changes has a customer of its own: a third of 1,000 customers is NORMAL at first."""

_MOST_PAIRS = 300
_LEAST_PAIRS = 3
_MOST_SECONDS = 60.0
_BAR = re.compile(r"(\w+)(>=|<=)(\d+(?:\.\d+)?)")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options. Ends the program with a message if they are wrong."""
    parser = argparse.ArgumentParser(description="Compares two builds, or one build with two sets of arguments.")
    pairs, callers = _number(int, _LEAST_PAIRS, _MOST_PAIRS), _number(int, 1, MOST_CALLERS)
    parser.add_argument("--base", default="", help="the commit to compare with; this build, if it is empty")
    parser.add_argument("--args", type=shlex.split, default=[], help="more arguments of HEAD's server")
    parser.add_argument("--base-args", type=shlex.split, default=[], help="more arguments of BASE's server")
    parser.add_argument("--calls", choices=KINDS, default="both", help="what is called")
    parser.add_argument("--callers", type=callers, nargs="+", default=[1, 8, 64], help="how many call at once")
    parser.add_argument("--pairs", type=pairs, default=PAIRS, help="of runs, for each number of callers")
    parser.add_argument("--aa-pairs", type=pairs, help="of the A/A run; as many as --pairs without it")
    parser.add_argument("--seconds", type=_number(float, 0.1, _MOST_SECONDS), default=SECONDS, help="of each run")
    parser.add_argument("--bars", type=parse_bars, default=DEFAULT_BARS, help=f"such as '{DEFAULT_BARS}'")
    parser.add_argument("--report", type=Path, help="print the table of this raw result, and measure nothing")
    options = parser.parse_args(arguments)
    options.aa_pairs = options.aa_pairs or options.pairs
    if options.aa_pairs > options.pairs:
        parser.error("the A/A run has at most as many pairs as the comparison")
    if not options.report and not options.base and options.args == options.base_args:
        parser.error("both sides are the same: give --base, or different --args and --base-args")
    return options


def parse_bars(text: str) -> list[RatioBar]:
    """Bars such as "rate>=0.97 cpu<=1.03": at most one for each figure. Raises ArgumentTypeError."""
    bars = [_parse_bar(word) for word in text.split()]
    if len({bar.figure for bar in bars}) < len(bars):
        raise argparse.ArgumentTypeError(f"{text!r} has two bars for one figure")
    return bars


def is_trial(pairs: int, seconds: float) -> bool:
    """Whether a comparison is too short to be published."""
    return pairs < PAIRS or seconds < SECONDS


def _parse_bar(word: str) -> RatioBar:
    parts = _BAR.fullmatch(word)
    if parts is None or parts[1] not in FIGURES:
        raise argparse.ArgumentTypeError(f"{word!r} is no bar: write one of {', '.join(FIGURES)}, >= or <=, a number")
    figure, sign, limit = parts.groups()
    right = ">=" if FIGURES[figure].higher_is_better else "<="
    if sign != right:
        raise argparse.ArgumentTypeError(f"{word!r}: a bar for {figure} is written with {right}")
    return RatioBar(figure, float(limit))


def _number(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    """Reads a number within bounds."""

    def read(text: str) -> float:
        number = kind(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least:g} to {most:g}")
        return number

    return read
