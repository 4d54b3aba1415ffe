"""The printed table of a comparison: every figure in it comes from the raw result."""

from collections.abc import Iterator
from statistics import median
from typing import Any

from benchmarks.comparison.options import is_trial, parse_bars
from benchmarks.comparison.verdicts import (
    CONFIDENCE,
    CPU,
    FIGURES,
    Judgement,
    Pair,
    RatioBar,
    Verdict,
    intervals,
    judge,
    judge_pairs,
)
from benchmarks.figures import Result
from benchmarks.pages.raw_results import describe_runs, show_spread

_HEAD = """\
| calls | callers | pairs | figure | BASE | HEAD | HEAD/BASE | A/A | bar | verdict |
|-------|--------:|------:|--------|-----:|-----:|----------:|----:|-----|---------|"""

_TRIAL = "- This is a trial: it has too few pairs, or too short runs, for its verdicts to be relied on.\n"

_NAMES = {"check": "checks", "change": "changes"}


def table(result: Result) -> str:
    """The rows of every scenario, and how they were measured."""
    bars = parse_bars(result["options"]["bars"])
    rows = "\n".join(row for scenario in result["scenarios"] for row in _rows(scenario, bars))
    pairs = [pair for scenario in result["scenarios"] for pair in scenario["pairs"] + scenario["aa_pairs"]]
    trial = _TRIAL if is_trial(result["options"]["pairs"], result["options"]["seconds"]) else ""
    return f"""\
{_HEAD}
{rows}

{trial}- HEAD is {_describe(result["head"])}. BASE is {_describe(result["base"])}.
- Ratios are medians over pairs of runs, with their {CONFIDENCE:.0%} bootstrap intervals. A/A compares HEAD with HEAD.
- A bar is met or missed if both ends of the interval say so. Otherwise it is undecided, also after more pairs.
- Where the A/A interval is wider than the bar's distance from 1, CPU per call decides.
- A run counts {result["options"]["seconds"]:g} s, after {result["warmup"]:g} s of warm-up, \
with {result["customers"]:,} customers.
- {_count_statuses(pairs)}
{describe_runs(result)}"""


def all_met(result: Result) -> bool:
    """Whether every bar of every scenario is met."""
    bars = parse_bars(result["options"]["bars"])
    judged = [judge_pairs(bars, scenario["pairs"], scenario["aa_pairs"]) for scenario in result["scenarios"]]
    return all(judgement.verdict is Verdict.MET for judgements in judged for judgement in judgements.values())


def _rows(scenario: dict[str, Any], bars: list[RatioBar]) -> Iterator[str]:
    pairs = scenario["pairs"]
    measured, noise = intervals(pairs), intervals(scenario["aa_pairs"])
    judgements = judge(bars, measured, noise)
    limits = {bar.figure: str(bar).removeprefix(bar.figure).replace(">=", "≥ ").replace("<=", "≤ ") for bar in bars}
    for name, figure in FIGURES.items():
        base, head = (median(figure.value(pair[side]) for pair in pairs) for side in ("base", "head"))
        digits = 2 if base < 100 else 0
        cells = [
            _NAMES[scenario["kind"]],
            str(scenario["callers"]),
            f"{len(pairs)}, A/A {len(scenario['aa_pairs'])}",
            f"{figure.what}, {figure.unit}",
            f"{base:,.{digits}f}",
            f"{head:,.{digits}f}",
            show_spread(measured[name], 3),
            show_spread(noise[name], 3),
            limits.get(name, ""),
            _show(name, judgements[name]) if name in judgements else "",
        ]
        yield f"| {' | '.join(cells)} |"


def _show(figure: str, judgement: Judgement) -> str:
    if not judgement.noisy:
        return str(judgement.verdict)
    if figure == CPU:
        return f"{judgement.verdict}; the A/A interval is wider than the bar's distance from 1"
    return f"{judgement.verdict}: CPU per call decides (by itself {judgement.own})"


def _describe(build: dict[str, Any]) -> str:
    arguments = f" with `{' '.join(build['arguments'])}`" if build["arguments"] else ""
    return f"commit {build['commit'][:9]}{arguments}"


def _count_statuses(pairs: list[Pair]) -> str:
    statuses: dict[str, int] = {}
    for run in (pair[side] for pair in pairs for side in ("head", "base")):
        for status, calls in run["measured"]["statuses"].items():
            statuses[status] = statuses.get(status, 0) + calls
    return "Statuses: " + ", ".join(f"{calls:,} {status}" for status, calls in statuses.items())
