"""The part of the page on peers: other services in the same rounds."""

from pathlib import Path

from benchmarks import figures
from benchmarks.figures import Checks, Result
from benchmarks.pages.raw_results import describe_runs
from benchmarks.pages.tables import scenario_table, show_ratio

_HEAD = """\
| callers | peer | frostgate's checks/s, to the peer's calls/s | CPU, to the peer's | p99, to the peer's |
|--------:|------|--------------------------------------------:|-------------------:|-------------------:|
"""


def beside_peers(raw: Path, result: Result) -> str:
    """Checks beside the calls of peers, of a raw result of `make bench PEERS=FILE`."""
    options, checks = result["options"], figures.checks(result)
    ratios = "\n".join(row for one in checks for row in _rows(one))
    tables = "\n\n".join(
        f"### Peers, {one.callers} at once\n\n{scenario_table(result, f'checks, {one.callers} at once')}"
        for one in checks
    )
    peers = "\n".join(
        f"- {peer['name']}: `{peer['method']}`, drawn from {peer['requests']:,} requests" for peer in result["peers"]
    )
    wrong = sum(run["wrong"] for run in result["runs"])
    return f"""\
## Peers

The same rounds measured other services on the same machine, each with its own file of requests.
[peers.md](peers.md) describes how to add a service. These are the figures of
[the raw result](../tests/benchmarks/results/{raw.name}) of {result["started"][:10]}:

{_HEAD}{ratios}

{tables}

{peers}
- There were {options["rounds"]} rounds. A run is measured for {options["seconds"]:g} s, after
  {options["warmup"]:g} s of warm-up.
- A peer's CPU is the CPU time of the processes that its file lists. If the file lists none, the column is empty.
- {wrong:,} calls ended with another status than OK, or were checks of an existing customer whose
  answer had no decision.
{describe_runs(result)}"""


def _rows(checks: Checks) -> list[str]:
    frostgate, *_ = checks.frostgates
    return [
        f"| {checks.callers} | {peer.subject} | {show_ratio(frostgate, peer, figures.rate)} "
        f"| {show_ratio(frostgate, peer, figures.cpu_us)} | {show_ratio(frostgate, peer, figures.p99_ms)} |"
        for peer in checks.peers
    ]
