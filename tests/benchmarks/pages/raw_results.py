"""Where raw results and pages are, and how figures are written."""

import json
import re
from pathlib import Path

from benchmarks.figures import Result, Spread

ROOT = Path(__file__).parent.parent.parent.parent
RESULTS = ROOT / "tests" / "benchmarks" / "results"


PLOTS = ROOT / "docs" / "benchmarks"


def path(kind: str, result: Result) -> Path:
    """Where a raw result of this kind is written."""
    return RESULTS / f"{kind}{result['started'][:10]}-{result['commit'][:9]}.json"


def save(raw: Path, result: Result) -> None:
    """Writes a raw result."""
    raw.parent.mkdir(exist_ok=True)
    raw.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def newest(pattern: str = "2*.json") -> Path | None:
    """The raw result that was measured last, if there is one."""

    def started(raw: Path) -> str:
        return str(json.loads(raw.read_text("utf-8"))["started"])

    return max(RESULTS.glob(pattern), key=started, default=None)


def describe_runs(result: Result) -> str:
    machine = result["machine"]
    changes = ", with changes that were not committed" if result["dirty"] else ""
    versions = ", ".join(f"{name} {version.removeprefix('go')}" for name, version in result["versions"].items())
    return f"""\
- Commit {result["commit"][:9]}{changes}: `{result["command"]}`
- {machine["cpu"]}, {machine["cores"]} cores, {machine["memory_bytes"] / 2**30:.0f} GiB of memory, {machine["system"]}
- {versions}
- Load average when the benchmark began: {machine["load_average_before"]:.2f}"""


def plot_link(scenario: str) -> Path:
    return PLOTS / f"{re.sub(r'[^a-z0-9]+', '-', scenario)}.svg"


def show_spread(spread: Spread, digits: int) -> str:
    return f"{spread.middle:,.{digits}f} ({spread.least:,.{digits}f}–{spread.most:,.{digits}f})"
