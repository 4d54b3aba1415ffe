"""From pairs of runs to verdicts: ratios, their intervals, and whether each bar is met. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from statistics import median
from typing import Any

from benchmarks.figures import Run, Spread, cpu_us, p99_ms, rate

Pair = dict[str, Any]
"""The runs of "head" and "base", one right after the other."""

CONFIDENCE = 0.90
"""Of each interval."""

_RESAMPLES = 2_000
_SEED = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a run that is compared."""

    what: str
    unit: str
    value: Callable[[Run], float]
    higher_is_better: bool


CPU = "cpu"
FIGURES = {
    "rate": Figure("rate", "calls/s", rate, higher_is_better=True),
    CPU: Figure("CPU per call", "µs", cpu_us, higher_is_better=False),
    "p99": Figure("p99 latency", "ms", p99_ms, higher_is_better=False),
}


class Verdict(StrEnum):
    """Whether a bar is met."""

    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class RatioBar:
    """The limit of a ratio HEAD/BASE: the least for a rate, the most for CPU and p99."""

    figure: str
    limit: float

    def __str__(self) -> str:
        """As in the option --bars."""
        return f"{self.figure}{'>=' if FIGURES[self.figure].higher_is_better else '<='}{self.limit:g}"

    def judge(self, interval: Spread) -> Verdict:
        """The verdict of an interval: both of its ends must be on the same side of the limit."""
        ends = {self._is_reached_by(interval.least), self._is_reached_by(interval.most)}
        if len(ends) > 1:
            return Verdict.UNDECIDED
        return Verdict.MET if ends == {True} else Verdict.MISSED

    def is_finer_than(self, noise: Spread) -> bool:
        """Whether the interval of the A/A run is wider than the distance of the limit from 1."""
        return noise.most - noise.least > abs(self.limit - 1)

    def _is_reached_by(self, ratio: float) -> bool:
        return ratio >= self.limit if FIGURES[self.figure].higher_is_better else ratio <= self.limit


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict of a bar. `own` is that of its own figure; `noisy` says that the A/A run is too noisy for the bar."""

    verdict: Verdict
    own: Verdict
    noisy: bool


def ratios(pairs: Sequence[Pair], figure: str) -> list[float]:
    """A figure of HEAD as a part of BASE's, pair by pair."""
    value = FIGURES[figure].value
    return [value(pair["head"]) / value(pair["base"]) for pair in pairs]


def interval(values: Sequence[float]) -> Spread:
    """The median with its bootstrap interval. The same values always give the same interval."""
    random = Random(_SEED)
    medians = sorted(median(random.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    cut = round(_RESAMPLES * (1 - CONFIDENCE) / 2)
    return Spread(median(values), medians[cut], medians[-1 - cut])


def intervals(pairs: Sequence[Pair]) -> dict[str, Spread]:
    """The interval of every figure."""
    return {figure: interval(ratios(pairs, figure)) for figure in FIGURES}


def judge(
    bars: Sequence[RatioBar], measured: Mapping[str, Spread], noise: Mapping[str, Spread]
) -> dict[str, Judgement]:
    """The verdict of each bar, by its figure.

    Where the A/A run is too noisy for a bar, the bar of CPU per call decides. Without one the bar is undecided.
    """
    own = {bar.figure: bar.judge(measured[bar.figure]) for bar in bars}
    judgements = {}
    for bar in bars:
        noisy = bar.is_finer_than(noise[bar.figure])
        verdict = own.get(CPU, Verdict.UNDECIDED) if noisy else own[bar.figure]
        judgements[bar.figure] = Judgement(verdict, own[bar.figure], noisy)
    return judgements


def judge_pairs(bars: Sequence[RatioBar], pairs: Sequence[Pair], aa_pairs: Sequence[Pair]) -> dict[str, Judgement]:
    """The verdict of each bar, from pairs of runs."""
    return judge(bars, intervals(pairs), intervals(aa_pairs))
