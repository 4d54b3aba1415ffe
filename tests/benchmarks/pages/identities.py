"""The part of the page on what identities cost."""

from collections.abc import Callable
from pathlib import Path

from benchmarks import figures
from benchmarks.figures import Result, Run, Series
from benchmarks.pages.raw_results import describe_runs, plot_link, show_spread


def identities(raw: Path, result: Result) -> str:
    """What it costs to know who calls, of a raw result of run.py."""
    options, runs = result["options"], result["runs"]
    tables = "\n\n".join(_identities_table(result, scenario) for scenario in figures.scenarios(result))
    calls = sum(sum(run["measured"]["statuses"].values()) for run in runs)
    return f"""\
## Identities

These tables show the cost of authentication. The same checks were measured in plaintext, over TLS without
authentication, and with callers of the role control-plane. These callers use a client certificate (mTLS), one token for
all of them, or a new token for each call. The server must verify a new token. `make bench` measures this, and
`tests/benchmarks/run.py --identities` measures nothing else. These are the figures of
[the raw result](../tests/benchmarks/results/{raw.name}) of {result["started"][:10]}:

{tables}

- There were {options["rounds"]} rounds. A run is measured for {options["seconds"]:g} s, after
  {options["warmup"]:g} s of warm-up.
- Servers have {result["workers"]} workers and {min(options["customers"]):,} customers.
  For the rest, see [How it is measured](#how-it-is-measured).
- Connections stay open, so the figures do not include handshakes.
- The load runs on the same cores as the server. The load also needs CPU time for TLS. The server cannot use this time
  for calls.
- Separate threads verify new tokens, and pause for checks. The latency of calls with new tokens includes these pauses.
- Before each run, two calls were tested. The call with the credential had to be answered OK. The call without a
  credential had to get the status that the address requires.
- Of {calls:,} calls, {sum(run["wrong"] for run in runs):,} ended with another status than OK, or were checks of an
  existing customer whose answer had no decision.
{describe_runs(result)}"""


def _identities_table(result: Result, scenario: str) -> str:
    plaintext, *_ = every = figures.series(result, scenario)
    title = scenario.capitalize()
    rows = "\n".join(_identities_row(one, plaintext) for one in every)
    return f"""\
### {title}

| what | calls/s | to plaintext | p50 ms | p99 ms | server CPU µs/call | to plaintext | load CPU µs/call |
|------|--------:|-------------:|-------:|-------:|-------------------:|-------------:|-----------------:|
{rows}

![{title}](benchmarks/{plot_link(scenario).name})"""


def _identities_row(one: Series, plaintext: Series) -> str:
    def to_plaintext(figure: Callable[[Run], float]) -> str:
        return "" if one is plaintext else show_spread(figures.ratio(one, plaintext, figure), 2)

    cells = [
        one.label,
        show_spread(figures.of(one, figures.rate), 0),
        to_plaintext(figures.rate),
        show_spread(figures.of(one, figures.p50_ms), 2),
        show_spread(figures.of(one, figures.p99_ms), 2),
        show_spread(figures.of(one, figures.cpu_us), 0),
        to_plaintext(figures.cpu_us),
        show_spread(figures.of(one, figures.load_cpu_us), 0),
    ]
    return f"| {' | '.join(cells)} |"
