"""`make compare` around its figures: options, refused runs, builds, and the printed table."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from benchmarks import compare, load_program
from benchmarks.comparison import measurement
from benchmarks.comparison.builds import Build, commit_build
from benchmarks.comparison.measurement import Comparison
from benchmarks.comparison.options import is_trial, parse
from benchmarks.comparison.pairs import BadReplies, ensure_answered
from benchmarks.comparison.table import all_met, table
from benchmarks.comparison.verdicts import RatioBar
from benchmarks.pages import raw_results
from benchmarks.scenarios import Calls
from benchmarks.servers import CannotMeasure, Running

CHECKS = Calls("check", 8)


def outcome(ok: int = 300, **statuses: int) -> dict[str, Any]:
    """What the load tells of one second."""
    measured = {
        "statuses": {"OK": ok, **statuses},
        "items": ok,
        "decisions": {"DECISION_ALLOW": ok},
        "reasons": {"DECISION_REASON_CUSTOMER_NORMAL": ok},
        "latency_p50_ns": 1_000_000,
        "latency_p99_ns": 4_000_000,
        "latency_max_ns": 9_000_000,
    }
    return {"seconds": 1.0, "server_cpu_seconds": 0.06, "load_cpu_seconds": 0.01, "measured": measured}


def test_defaults_ask_for_no_slower_build_in_30_pairs() -> None:
    options = parse(["--base", "HEAD"])
    assert (options.calls, options.callers, options.seconds) == ("both", [1, 8, 64], 3.0)
    assert (options.pairs, options.aa_pairs) == (30, 30)
    assert options.bars == [RatioBar("rate", 0.97), RatioBar("cpu", 1.03)]
    assert not is_trial(options.pairs, options.seconds)


def test_options_of_make_are_read() -> None:
    sides = ["--base=", "--args=--workers 3", "--base-args=--workers '1'"]
    loads = ["--calls", "changes", "--callers", "1", "64", "--seconds", "1"]
    options = parse([*sides, *loads, "--pairs", "5", "--aa-pairs", "4", "--bars", "rate>=1.2 p99<=0.9"])
    assert (options.base, options.args, options.base_args) == ("", ["--workers", "3"], ["--workers", "1"])
    assert (options.calls, options.callers) == ("changes", [1, 64])
    assert (options.pairs, options.aa_pairs, options.seconds) == (5, 4, 1.0)
    assert options.bars == [RatioBar("rate", 1.2), RatioBar("p99", 0.9)]
    assert " ".join(map(str, options.bars)) == "rate>=1.2 p99<=0.9"
    assert is_trial(options.pairs, 3.0)
    assert is_trial(30, options.seconds)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--base="], "both sides are the same"),
        (["--args=--workers 2", "--base-args=--workers 2"], "both sides are the same"),
        (["--base=x", "--pairs=2"], "not from 3 to 300"),
        (["--base=x", "--pairs=301"], "not from 3 to 300"),
        (["--base=x", "--pairs=3", "--aa-pairs=4"], "at most as many pairs"),
        (["--base=x", "--seconds=61"], "not from 0.1 to 60"),
        (["--base=x", "--callers", "8", "301"], "not from 1 to 300"),
        (["--base=x", "--calls=lists"], "invalid choice"),
        (["--base=x", "--bars=rate<=0.97"], "a bar for rate is written with >="),
        (["--base=x", "--bars=cpu>=1"], "a bar for cpu is written with <="),
        (["--base=x", "--bars=speed>=1"], "is no bar"),
        (["--base=x", "--bars=cpu<=1.03 cpu<=1.1"], "two bars for one figure"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(wrong: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(wrong)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_one_reply_with_another_status_is_refused() -> None:
    ensure_answered(CHECKS, outcome())
    with pytest.raises(BadReplies, match=r"^1 calls .*'UNAVAILABLE': 1"):
        ensure_answered(CHECKS, outcome(UNAVAILABLE=1))


@pytest.mark.parametrize(
    ("group", "counts"),
    [("decisions", {"DECISION_UNSPECIFIED": 2}), ("reasons", {"DECISION_REASON_CUSTOMER_UNKNOWN": 2})],
)
def test_a_check_without_a_decision_on_a_known_customer_is_refused(group: str, counts: dict[str, int]) -> None:
    told = outcome()
    told["measured"][group].update(counts)
    with pytest.raises(BadReplies, match=r"^2 calls"):
        ensure_answered(CHECKS, told)


class Servers:
    """Servers that are not started. The load tells the outcomes that are prepared, and then good ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, outcomes: list[dict[str, Any]]) -> None:
        self.started: list[list[str]] = []
        self.running = 0
        self._outcomes = outcomes
        monkeypatch.setattr(measurement, "running", self._run)
        monkeypatch.setattr(measurement, "add_customers", lambda _server, _customers: None)
        monkeypatch.setattr(measurement, "checks_that_exist", lambda _server: [(1, 1)])
        monkeypatch.setattr(load_program, "outcome", self._outcome)

    @contextmanager
    def _run(self, command: list[str], _variables: object, _log: Path) -> Iterator[Running]:
        self.started.append(command)
        self.running += 1
        try:
            yield Running("127.0.0.1:1", [1, 2, 3])
        finally:
            self.running -= 1

    def _outcome(self, *_: object) -> dict[str, Any]:
        assert self.running == 1
        return self._outcomes.pop(0) if self._outcomes else outcome()


def compared(directory: Path, *arguments: str) -> list[dict[str, Any]]:
    """The scenarios of a comparison of two builds that are never started."""
    options = parse(["--base=x", "--pairs=3", "--seconds=1", *arguments])
    head, base = (Build("f" * 40, Path(python), [f"--{python}"]) for python in ("new", "old"))
    comparison = Comparison(Path("load"), directory, directory / "log", options.seconds)
    return list(comparison.scenarios(head, base, options))


def test_a_comparison_measures_every_kind_of_calls_with_every_number_of_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = Servers(monkeypatch, [])
    scenarios = compared(tmp_path, "--callers", "1", "8")
    named = [(scenario["kind"], scenario["callers"]) for scenario in scenarios]
    assert named == [("check", 1), ("check", 8), ("change", 1), ("change", 8)]
    assert {len(scenario["pairs"]) for scenario in scenarios} == {3}
    # Two servers fill the databases. Then each scenario has three pairs, and as many of the A/A run.
    sides = [(Path(command[0]).name, command[-1]) for command in servers.started[2:]]
    assert sides.count(("new", "--new")) == 4 * 9
    assert sides.count(("old", "--old")) == 4 * 3
    assert len(sides) == 4 * 12


def test_a_comparison_ends_at_the_first_bad_reply_and_leaves_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = Servers(monkeypatch, [outcome(), outcome(INTERNAL=1)])
    with pytest.raises(BadReplies, match="INTERNAL"):
        compared(tmp_path, "--callers", "1", "8")
    assert len(servers.started) == 2 + 2
    assert servers.running == 0


def test_a_comparison_that_fails_writes_no_raw_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Servers(monkeypatch, [outcome(INTERNAL=1)])
    assert run_program(monkeypatch, tmp_path) == 1
    assert "1 calls were not answered as they should be" in capsys.readouterr().err
    assert list(tmp_path.glob("**/*.json")) == []


def test_a_trial_writes_its_raw_result_to_the_cache_and_its_table_can_be_printed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Servers(monkeypatch, [])
    assert run_program(monkeypatch, tmp_path) == 0
    printed = capsys.readouterr().out
    (raw,) = tmp_path.glob("cache/compare-*.json")
    monkeypatch.setattr("sys.argv", ["compare.py", "--report", str(raw)])
    assert compare.main() == 0
    report = capsys.readouterr().out
    assert report
    assert printed.endswith(report)
    # Three pairs and three of the A/A run, for checks and changes: 24 runs with 300 calls each.
    assert "Statuses: 7,200 OK" in report
    assert "This is a trial" in report


def run_program(monkeypatch: pytest.MonkeyPatch, directory: Path) -> int:
    """Runs `make compare` over servers that are not started, with its files in a directory."""
    monkeypatch.setattr(raw_results, "ROOT", directory)
    monkeypatch.setattr(compare, "_CACHE", directory / "cache")
    monkeypatch.setattr(compare, "interrupt_on_signals", lambda: None)
    monkeypatch.setattr(load_program, "built", lambda _cache: Path("load"))
    monkeypatch.setattr("benchmarks.machine.go_version", lambda: "go1")
    monkeypatch.setattr(
        "sys.argv", ["compare.py", "--args=--workers 2", "--pairs=3", "--seconds=1", "--callers=8", "--bars=p99<=1.5"]
    )
    return compare.main()


def test_a_commit_that_does_not_exist_cannot_be_built(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasure, match="no-such-branch is no commit"):
        commit_build("no-such-branch", tmp_path, [])


def test_the_table_names_the_verdict_and_says_where_cpu_decided() -> None:
    def runs(*rates: int) -> list[dict[str, Any]]:
        """Pairs of a base with 100 calls a second. CPU per call is always the same."""
        return [
            {
                side: outcome(rate) | {"server_cpu_seconds": rate * 2e-4}
                for side, rate in (("head", head), ("base", 100))
            }
            for head in rates
        ]

    result: dict[str, Any] = {
        "commit": "a" * 40,
        "dirty": False,
        "command": "compare.py",
        "machine": {"cpu": "x", "cores": 2, "memory_bytes": 2**30, "system": "Linux", "load_average_before": 0.5},
        "versions": {"python": "3.11"},
        "head": {"commit": "a" * 40, "arguments": ["--workers", "3"]},
        "base": {"commit": "b" * 40, "arguments": []},
        "options": {"pairs": 30, "seconds": 3.0, "bars": "rate>=0.97 cpu<=1.03"},
        "customers": 1000,
        "warmup": 2.0,
        "scenarios": [
            {"kind": "check", "callers": 8, "pairs": runs(90, 90, 90), "aa_pairs": runs(100, 100, 100)},
            {"kind": "change", "callers": 64, "pairs": runs(90, 90, 90), "aa_pairs": runs(80, 100, 120)},
        ],
    }
    shown = table(json.loads(json.dumps(result)))
    assert "| checks | 8 | 3, A/A 3 | rate, calls/s | 100 | 90 | 0.900 (0.900–0.900) |" in shown
    assert "| ≥ 0.97 | missed |" in shown
    assert (
        "| 0.900 (0.900–0.900) | 1.000 (0.800–1.200) | ≥ 0.97 | met: CPU per call decides (by itself missed) |" in shown
    )
    assert "HEAD is commit aaaaaaaaa with `--workers 3`. BASE is commit bbbbbbbbb." in shown
    assert "trial" not in shown
    assert not all_met(result)
    result["scenarios"].pop(0)
    assert all_met(result)
