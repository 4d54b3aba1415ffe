"""The figures and verdicts of `make compare`: intervals, bars, the A/A rule, and the order of pairs."""

from collections.abc import Sequence
from random import Random

import pytest
from benchmarks.comparison.pairs import PairPlan, measure_pairs, order
from benchmarks.comparison.verdicts import Judgement, Pair, RatioBar, Verdict, interval, intervals, judge
from benchmarks.figures import Run, Spread

MET, MISSED, UNDECIDED = Verdict.MET, Verdict.MISSED, Verdict.UNDECIDED
RATE, CPU, P99 = RatioBar("rate", 0.97), RatioBar("cpu", 1.03), RatioBar("p99", 1.10)

QUIET = {"rate": Spread(1, 0.99, 1.01), "cpu": Spread(1, 0.99, 1.01), "p99": Spread(1, 0.96, 1.04)}
NOISY = {"rate": Spread(1, 0.95, 1.05), "cpu": Spread(1, 0.95, 1.05), "p99": Spread(1, 0.9, 1.1)}


def run(rate: float, cpu_us: float = 100.0, p99_ms: float = 10.0) -> Run:
    """One second of calls."""
    measured = {"statuses": {"OK": rate}, "latency_p99_ns": p99_ms * 1e6}
    return {"seconds": 1.0, "server_cpu_seconds": rate * cpu_us / 1e6, "measured": measured}


def pair(head: Run, base: Run) -> Pair:
    return {"head": head, "base": base}


def test_an_interval_is_the_same_for_the_same_values() -> None:
    random = Random(7)
    values = [random.gauss(1.0, 0.05) for _ in range(30)]
    assert interval(values) == interval(values)


def test_an_interval_of_thirty_values_ends_where_the_binomial_distribution_says() -> None:
    # The exact interval for a median: 90 % of binomial(30, 1/2) lies from the 11th to the 20th value.
    found = interval([float(number) for number in range(1, 31)])
    assert found.middle == 15.5
    assert 10 <= found.least <= 12
    assert 19 <= found.most <= 21


def test_more_pairs_make_an_interval_narrower() -> None:
    random = Random(7)
    values = [random.gauss(1.0, 0.05) for _ in range(90)]
    few, many = interval(values[:30]), interval(values)
    assert many.most - many.least < few.most - few.least


def test_equal_values_have_an_interval_without_width() -> None:
    assert interval([1.02] * 30) == Spread(1.02, 1.02, 1.02)


def test_ratios_are_taken_pair_by_pair() -> None:
    pairs = [
        pair(run(110, cpu_us=90, p99_ms=5), run(100)),
        pair(run(2200, cpu_us=180, p99_ms=10), run(2000, cpu_us=200, p99_ms=20)),
    ]
    found = intervals(pairs)
    assert found["rate"].least == found["rate"].most == pytest.approx(1.1)
    assert found["cpu"].least == pytest.approx(0.9)
    assert found["cpu"].most == pytest.approx(0.9)
    assert found["p99"].middle == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("bar", "least", "most", "verdict"),
    [
        (RATE, 0.97, 1.50, MET),
        (RATE, 0.96, 1.50, UNDECIDED),
        (RATE, 0.50, 0.97, UNDECIDED),
        (RATE, 0.50, 0.96, MISSED),
        (CPU, 0.50, 1.03, MET),
        (CPU, 0.50, 1.04, UNDECIDED),
        (CPU, 1.03, 1.50, UNDECIDED),
        (CPU, 1.04, 1.50, MISSED),
        (P99, 0.50, 1.10, MET),
        (P99, 1.11, 1.20, MISSED),
    ],
    ids=str,
)
def test_a_bar_is_met_by_the_worse_end_and_missed_by_the_better_end(
    bar: RatioBar, least: float, most: float, verdict: Verdict
) -> None:
    assert bar.judge(Spread((least + most) / 2, least, most)) is verdict


@pytest.mark.parametrize(
    ("cpu", "verdict"),
    [(Spread(1, 0.99, 1.01), MET), (Spread(1.1, 1.05, 1.15), MISSED), (Spread(1.02, 1.0, 1.05), UNDECIDED)],
    ids=str,
)
def test_cpu_decides_where_the_a_a_run_is_too_noisy_for_a_bar(cpu: Spread, verdict: Verdict) -> None:
    measured = {"rate": Spread(0.9, 0.85, 0.95), "cpu": cpu, "p99": Spread(1, 0.9, 1.2)}
    assert judge([RATE, CPU, P99], measured, NOISY) == {
        "rate": Judgement(verdict, own=MISSED, noisy=True),
        "cpu": Judgement(verdict, own=verdict, noisy=True),
        "p99": Judgement(verdict, own=UNDECIDED, noisy=True),
    }


def test_every_figure_decides_for_itself_where_the_a_a_run_is_quiet() -> None:
    measured = {"rate": Spread(0.9, 0.85, 0.95), "cpu": Spread(1, 0.99, 1.01), "p99": Spread(1, 0.9, 1.2)}
    assert judge([RATE, CPU, P99], measured, QUIET) == {
        "rate": Judgement(MISSED, own=MISSED, noisy=False),
        "cpu": Judgement(MET, own=MET, noisy=False),
        "p99": Judgement(UNDECIDED, own=UNDECIDED, noisy=False),
    }


def test_a_noisy_bar_without_a_bar_for_cpu_is_undecided() -> None:
    measured = {"rate": Spread(1, 0.99, 1.01)}
    assert judge([RATE], measured, NOISY)["rate"] == Judgement(UNDECIDED, own=MET, noisy=True)


def test_the_order_within_a_pair_alternates() -> None:
    assert [order(number) for number in (1, 2, 3)] == [("head", "base"), ("base", "head"), ("head", "base")]


class Bench:
    """Measures sides that are rates, and keeps in which order."""

    def __init__(self) -> None:
        self.measured: list[tuple[str, int]] = []

    def measure(self, side: tuple[str, Sequence[float]], number: int) -> Run:
        name, rates = side
        self.measured.append((name, number))
        return run(rates[number % len(rates)])


def test_pairs_of_both_sorts_are_measured_in_turn_with_one_seed_each() -> None:
    bench = Bench()
    found = measure_pairs(bench.measure, ("A", [100.0]), ("B", [100.0]), PairPlan(3, 2, [RATE, CPU]))
    assert bench.measured == [
        *[("A", 1), ("B", 1), ("A", 1), ("A", 1)],
        *[("B", 2), ("A", 2), ("A", 2), ("A", 2)],
        *[("A", 3), ("B", 3)],
    ]
    assert [one["order"] for one in found["pairs"]] == [["head", "base"], ["base", "head"], ["head", "base"]]
    assert len(found["aa_pairs"]) == 2


@pytest.mark.parametrize(
    ("head", "pairs"), [([100.0], 4), ([50.0], 4), ([90.0, 110.0], 12)], ids=["met", "missed", "undecided"]
)
def test_only_an_undecided_comparison_goes_on_to_three_times_as_many_pairs(head: list[float], pairs: int) -> None:
    # The A/A run compares the same rates with each other, so that it has no noise.
    bench = Bench()
    found = measure_pairs(bench.measure, ("A", head), ("B", [100.0]), PairPlan(4, 4, [RATE]))
    assert (len(found["pairs"]), len(found["aa_pairs"])) == (pairs, 4)


def test_a_comparison_without_bars_is_never_extended() -> None:
    found = measure_pairs(Bench().measure, ("A", [90.0, 110.0]), ("B", [100.0]), PairPlan(4, 4, []))
    assert len(found["pairs"]) == 4
