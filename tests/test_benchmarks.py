"""The published figures are those of a committed raw result, made into a page by a script."""

import subprocess
from pathlib import Path

from benchmarks import report

ROOT = Path(__file__).parent.parent


def test_the_page_of_figures_is_what_the_script_makes_of_the_raw_result_it_names() -> None:
    assert report.is_current()


def test_the_tables_of_where_time_goes_are_what_the_script_makes_of_the_raw_result_they_name() -> None:
    assert report.profile_is_current()


def test_every_raw_result_is_committed() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "tests/benchmarks/results"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    committed = {Path(line).name for line in listed.stdout.splitlines()}
    assert {raw.name for raw in report.RESULTS.glob("*.json")} <= committed
