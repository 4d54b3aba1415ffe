"""The published figures are those of a committed raw result, made into a page by a script."""

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks import report
from benchmarks.identified import WAYS
from benchmarks.pages import profile, raw_results
from benchmarks.scenarios import IDENTIFIED_CALLERS, identities
from benchmarks.subjects import GO_ECHO
from support.processes import output

ROOT = Path(__file__).parent.parent.parent


def test_the_page_of_figures_is_what_the_script_makes_of_the_raw_result_it_names() -> None:
    assert report.is_current()


def test_the_tables_of_where_time_goes_are_what_the_script_makes_of_the_raw_result_they_name() -> None:
    assert profile.profile_is_current()


def test_every_raw_result_is_committed() -> None:
    listed = output("git", "ls-files", "tests/benchmarks/results", cwd=ROOT)
    committed = {Path(line).name for line in listed.splitlines()}
    assert {raw.name for raw in raw_results.RESULTS.glob("*.json")} <= committed


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for raw results beside the page's own, instead of those that are committed."""
    directory = tmp_path / "results"
    directory.mkdir()
    monkeypatch.setattr(raw_results, "RESULTS", directory)
    return directory


def test_without_a_raw_result_of_identities_the_page_says_nothing_of_them(results: Path) -> None:
    assert raw_results.newest("identities-*.json") is None
    assert "## Identities" not in _page(results)


def test_every_way_of_identifying_is_held_against_plaintext_round_by_round(results: Path) -> None:
    (results / "identities-1.json").write_text(json.dumps(_identities()))
    page = _page(results)
    for callers in IDENTIFIED_CALLERS:
        assert f"### Identities, {callers} at once" in page
    for number, way in enumerate(WAYS[1:], start=2):
        # Plaintext answers 300 calls, and twice as many in the second round, as does every other one.
        assert f"| frostgate 1,000, {way.name}: checks | {450 / number:,.0f} (" in page
        ratio = f"{1 / number:.2f}"
        assert f"| {ratio} ({ratio}–{ratio}) |" in page


def test_calls_of_identities_that_were_answered_otherwise_are_told(results: Path) -> None:
    result = _identities()
    result["runs"][3]["wrong"] = 17
    (results / "identities-1.json").write_text(json.dumps(result))
    assert "17 ended with another status than OK" in _page(results)


def test_the_limit_and_the_best_echo_stand_beside_the_checks_of_each_number_of_callers(results: Path) -> None:
    main, result = _published()
    assert "## The limit of the machine" not in _page(results)
    checks = [run for run in result["runs"] if run["scenario"].startswith("checks, ")]
    for run in checks:
        if run["subject"] == "frostgate 1,000":
            twice = {**run["measured"], "statuses": {"OK": 2 * run["measured"]["statuses"]["OK"]}}
            result["runs"].append({**run, "subject": GO_ECHO, "customers": None, "measured": twice})
        if run["subject"].startswith("echo ") and run["calls"]["callers"] == 8:
            run["subject"] = "echo 2×loop"
    page = report.page(results / main.name, result)
    for callers in (1, 8, 64):
        # With as much CPU for twice as many calls.
        assert f"| {callers} | {GO_ECHO} | 0.50 (0.50–0.50) | 2.00 (2.00–2.00) |" in page
    assert "| 8 | echo 2×loop | " in page
    assert "*echo 2×3* with 1, *echo 2×loop* with 8, *echo 2×3* with 64" in page


def test_every_table_of_calls_has_their_cpu(results: Path) -> None:
    tables = [line for line in _page(results).splitlines() if "calls/s |" in line or "pairs |" in line]
    assert len(tables) > 8
    assert [line for line in tables if "CPU µs/call |" not in line] == []


def _page(results: Path) -> str:
    """The page that is made of the result that the published one names, and of what else is in the directory."""
    main, result = _published()
    return report.page(results / main.name, result)


def _published() -> tuple[Path, dict[str, Any]]:
    """A raw result from before the limit was measured."""
    raw = ROOT / "tests" / "benchmarks" / "results" / "2026-11-23-29062cfe7.json"
    return raw, json.loads(raw.read_text("utf-8"))


def _identities() -> dict[str, Any]:
    """A raw result of two rounds, in which each way reaches a part of what plaintext does."""
    _, known = _published()
    some = known["runs"][0]
    runs = [
        {
            **some,
            "scenario": scenario.name,
            "round": round_,
            "subject": entry.subject.name,
            "customers": 1000,
            "seconds": 1.0,
            "measured": {**some["measured"], "statuses": {"OK": 300 * round_ / number}},
        }
        for scenario in (identities(1000, callers) for callers in IDENTIFIED_CALLERS)
        for round_ in (1, 2)
        for number, entry in enumerate(scenario.entries, start=1)
    ]
    return {**known, "workers": 2, "tokens": 100, "runs": runs}
