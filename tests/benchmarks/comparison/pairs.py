"""Runs in pairs: HEAD and BASE one right after the other, and HEAD twice for the A/A run.

The order within a pair alternates. Pairs of both sorts are measured in turn, so that the A/A run sees the same noise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmarks.comparison.options import EXTENSION
from benchmarks.comparison.verdicts import Pair, RatioBar, Verdict, judge_pairs
from benchmarks.figures import Run
from benchmarks.rounds import wrong
from benchmarks.scenarios import Calls
from benchmarks.servers import CannotMeasure

Side = TypeVar("Side")

Measure = Callable[[Side, int], Run]
"""Measures one side. The number of the pair is the seed, so that both runs of a pair have the same requests."""


class BadReplies(CannotMeasure):
    """Some calls were not answered as they should be."""


@dataclass(frozen=True, slots=True)
class PairPlan:
    """How many pairs are measured, and which bars decide whether more are."""

    pairs: int
    aa_pairs: int
    bars: Sequence[RatioBar]


def order(number: int) -> tuple[str, str]:
    """Which side of a pair comes first: AB, BA, AB, …"""
    return ("head", "base") if number % 2 else ("base", "head")


def measure_pairs(measure: Measure[Side], head: Side, base: Side, plan: PairPlan) -> dict[str, list[Pair]]:
    """All pairs. Where a bar is undecided the comparison goes on to more pairs, and the A/A run does not."""
    pairs: list[Pair] = []
    aa_pairs: list[Pair] = []
    for number in range(1, plan.pairs + 1):
        pairs.append(_measure_pair(measure, {"head": head, "base": base}, number))
        if number <= plan.aa_pairs:
            aa_pairs.append(_measure_pair(measure, {"head": head, "base": head}, number))
    if _is_undecided(pairs, aa_pairs, plan.bars):
        most = EXTENSION * plan.pairs
        print(f"A bar is undecided: going on to {most} pairs", flush=True)
        pairs += [
            _measure_pair(measure, {"head": head, "base": base}, number) for number in range(plan.pairs + 1, most + 1)
        ]
    return {"pairs": pairs, "aa_pairs": aa_pairs}


def ensure_answered(calls: Calls, outcome: dict[str, Any]) -> None:
    """Raises BadReplies for any status but OK, and for a check without a decision on a known customer."""
    if bad := wrong(calls, outcome):
        measured = outcome["measured"]
        raise BadReplies(
            f"{bad} calls were not answered as they should be: statuses {measured['statuses']}, "
            f"decisions {measured['decisions']}, reasons {measured['reasons']}"
        )


def _measure_pair(measure: Measure[Side], sides: dict[str, Side], number: int) -> Pair:
    runs: Pair = {name: measure(sides[name], number) for name in order(number)}
    return {"order": list(runs), **runs}


def _is_undecided(pairs: Sequence[Pair], aa_pairs: Sequence[Pair], bars: Sequence[RatioBar]) -> bool:
    judgements = judge_pairs(bars, pairs, aa_pairs).values()
    return any(judgement.verdict is Verdict.UNDECIDED for judgement in judgements)
