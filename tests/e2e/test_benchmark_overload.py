"""The campaign of overload in a short form, on a real server."""

from pathlib import Path
from typing import Any

import pytest
from benchmarks import machine
from benchmarks.comparison.builds import head_build
from benchmarks.pages.overload import overload, overload_bars, overload_rows
from benchmarks.saturation import campaign
from benchmarks.saturation.campaign import LOOPS, TIMES, Campaign, Plan


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, load: Path) -> dict[str, Any]:
    """A campaign of one round, with few callers and customers. It takes about 15 seconds."""
    directory = tmp_path_factory.mktemp("overload")
    plan = Plan(rounds=1, warmup=0.1, seconds=0.3, loops=LOOPS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(campaign, "_SATURATING", (1, 2))
        patched.setattr(campaign, "CUSTOMERS", 6)
        patched.setattr(campaign, "_PROBES_BEFORE", 5)
        measured = Campaign(load, directory, directory / "log", plan).measure(head_build(["--workers=1"]))
    return machine.metadata() | {"options": {"rounds": 1, "seconds": 0.3, "warmup": 0.1}} | measured


def test_every_load_is_put_on_the_server(result: dict[str, Any]) -> None:
    rows = [(row.loop, row.times, row.callers) for row in overload_rows(result)]
    saturating = result["saturating_callers"]
    assert saturating in {1, 2}
    assert rows == [(loop, times, times * saturating) for loop in LOOPS for times in TIMES]
    assert result["peak"] > 0


def test_each_run_tells_what_was_answered_in_time_and_how_the_server_did(result: dict[str, Any]) -> None:
    for run in result["runs"]:
        statuses = run["measured"]["statuses"]
        assert 0 < run["measured"]["in_time"] <= statuses["OK"]
        assert run["measured"]["latency_admitted_p99_ns"] > 0
        assert run["server_cpu_seconds"] > 0
        assert run["memory_peak_bytes"] >= 1 << 20
        assert run["memory_before_bytes"] >= 1 << 20
        assert sum(run["probes"]["statuses"].values()) > 0
        assert (run["rate"] > 0) == (run["loop"] == "open")


def test_the_page_has_a_row_for_each_load_and_a_verdict_for_each_bar(result: dict[str, Any]) -> None:
    page = overload(Path("overload-1.json"), result)
    for row in overload_rows(result):
        assert page.count(f"| {row.loop} | {row.callers} | ") == 2
    assert len(overload_bars(result)) == 4 * 2 * len(LOOPS)
    for what, _ in overload_bars(result):
        assert f"- {what}: " in page
