"""The figures of an overload, from made-up runs: the peak, the bars, and the time back to normal."""

from pathlib import Path
from typing import Any

import pytest
from benchmarks.pages.overload import overload, overload_bars
from benchmarks.saturation.campaign import saturating
from benchmarks.saturation.observer import Probe, back_to_normal, normal_limit
from benchmarks.saturation.processes import process_tree, resident_bytes
from benchmarks.servers import CannotMeasure
from support.processes import Process
from support.worker_processes import eventually

ENDED = 1000.0
LIMIT = 0.01
BYTES = 100_000_000


def searched(**in_time: int) -> list[dict[str, Any]]:
    """Runs of a second, by the number of callers."""
    return [
        {"callers": int(callers.removeprefix("c")), "seconds": 1.0, "measured": {"in_time": calls}}
        for callers, calls in in_time.items()
    ]


def test_the_fewest_callers_who_get_nearly_the_most_saturate_a_server() -> None:
    assert saturating(searched(c8=5000, c16=8000, c32=9700, c64=10000, c128=9000)) == (32, 9700.0)
    assert saturating(searched(c8=5000, c16=4000)) == (8, 5000.0)


def test_a_server_that_answers_nothing_in_time_has_no_peak() -> None:
    with pytest.raises(CannotMeasure):
        saturating([{"callers": 8, "seconds": 1.0, "measured": {"statuses": {"Unavailable": 3}}}])


def probes(*shown: tuple[float, float, str]) -> list[Probe]:
    """Calls that began so many seconds after the load's end."""
    return [Probe(ENDED + began, seconds, status) for began, seconds, status in shown]


def normal(start: float, count: int = 20) -> list[Probe]:
    return probes(*((start + 0.02 * number, 0.002, "OK") for number in range(count)))


def test_a_server_is_back_with_the_first_of_twenty_normal_calls_in_a_row() -> None:
    during = probes((-1.0, 0.002, "OK"), (-0.1, 0.2, "OK"))
    assert back_to_normal(during + normal(0.5), ENDED, LIMIT) == pytest.approx(0.5)
    assert back_to_normal(during + normal(0.5, 19), ENDED, LIMIT) is None


@pytest.mark.parametrize("late", [(0.9, 0.02, "OK"), (0.9, 0.002, "RESOURCE_EXHAUSTED")])
def test_a_slow_or_refused_call_begins_the_row_anew(late: tuple[float, float, str]) -> None:
    assert back_to_normal(normal(0.5, 19) + probes(late) + normal(1.5), ENDED, LIMIT) == pytest.approx(1.5)


def test_calls_that_began_before_the_end_of_the_load_do_not_count() -> None:
    assert back_to_normal(normal(-0.2, 10) + normal(0.01), ENDED, LIMIT) == pytest.approx(0.01)


def test_normal_is_twice_what_calls_took_before_and_never_less_than_10_ms() -> None:
    assert normal_limit(probes(*((0.0, 0.03, "OK"),) * 50)) == pytest.approx(0.06)
    assert normal_limit(probes(*((0.0, 0.001, "OK"),) * 50)) == pytest.approx(0.01)


def test_memory_is_that_of_a_process_and_its_children() -> None:
    sleep = "exec sleep 60"
    with (
        Process(["sh", "-c", f"echo ready; {sleep}"]) as alone,
        Process(["sh", "-c", f"({sleep}) & echo ready; {sleep}"]) as two,
    ):
        alone.next_line()
        two.next_line()
        assert process_tree(alone.pid) == [alone.pid]
        assert len(process_tree(two.pid)) == 2
        # A shell has more memory than the sleep that takes its place a moment later.
        eventually(lambda: 0 < resident_bytes(alone.pid) < resident_bytes(two.pid), "less")
    assert resident_bytes(two.pid) == 0


def result(**changed: Any) -> dict[str, Any]:
    """A campaign in which everything is as it should be, but for what is changed with 5 times the callers."""
    good: dict[str, Any] = {
        "in_time": 9000,
        "statuses": {"OK": 9000, "ResourceExhausted OVERLOADED": 300, "Canceled": 7, "Unavailable": 3},
        "latency_admitted_p99_ns": 200_000_000,
        "memory": 1.05,
        "back": 1.0,
    }
    return {
        "peak": 10000.0,
        "deadline": 0.25,
        "saturating_callers": 64,
        "runs": [run(1, good), run(5, good | changed), run(20, good)],
        "options": {"rounds": 1, "seconds": 1.0, "warmup": 0.0},
        "started": "2026-11-26T18:00:00",
        "commit": "0123456789",
        "dirty": False,
        "command": "overload.py",
        "versions": {},
        "machine": {"cpu": "one", "cores": 2, "memory_bytes": 1, "system": "Linux", "load_average_before": 0.0},
    }


def run(times: int, what: dict[str, Any]) -> dict[str, Any]:
    measured = {name: what[name] for name in ("in_time", "statuses", "latency_admitted_p99_ns")}
    return {
        "loop": "open",
        "times": times,
        "callers": times * 64,
        "seconds": 1.0,
        "server_cpu_seconds": 1.0,
        "load_cpu_seconds": 0.5,
        "measured": measured | {"latency_max_ns": 240_000_000, "missed": 11},
        "memory_before_bytes": BYTES,
        "memory_peak_bytes": int(what["memory"] * BYTES),
        "back_to_normal_seconds": what["back"],
        "workers_lost": 1,
    }


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({}, []),
        ({"in_time": 7900}, ["in time ≥ 80% of the peak"]),
        ({"latency_admitted_p99_ns": 251_000_000}, ["p99 of admitted calls ≤ 250 ms"]),
        ({"latency_admitted_p99_ns": 0}, ["p99 of admitted calls ≤ 250 ms"]),
        ({"memory": 1.11}, ["memory growth ≤ 10 %"]),
        ({"back": 2.1}, ["back to normal in ≤ 2 s"]),
        ({"back": None}, ["back to normal in ≤ 2 s"]),
    ],
)
def test_each_bar_is_missed_by_what_it_is_about(changed: dict[str, Any], missed: list[str]) -> None:
    expected = [f"open loop, 5 times the callers: {what}" for what in missed]
    assert [what for what, met in overload_bars(result(**changed)) if not met] == expected


def test_statuses_are_told_apart() -> None:
    page = overload(Path("overload-1.json"), result())
    assert "| open | 320 | 9,000 | 300 | 7 | 0 | 3 | 11 | 100 (100–100) | 105 (105–105) | 1.00 (1.00–1.00) |" in page
    assert "- 3 processes of the server ended while loads ran" in page
    assert "| never |" in overload(Path("overload-1.json"), result(back=None))
