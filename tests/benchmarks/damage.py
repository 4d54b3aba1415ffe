"""`make campaign-damage`: damages a database in thousands of ways, at rest and while it is served.

Afterwards every frozen customer is checked: none may be answered as unknown, and one that is answered in an older state
must be noticed within the documented time. Writes a raw result. The exit status is 1 if a promise was broken.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine
from benchmarks.pages import raw_results
from storage.damaged.campaign.plans import make_plans, summarize
from storage.damaged.campaign.prepared import Prepared
from storage.damaged.campaign.trial import Plan, Verdict, describe, run_trial


def main() -> int:
    """Gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=2_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--at-once", type=int, default=2, help="trials that run at the same time")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    metadata = machine.metadata()
    with tempfile.TemporaryDirectory(prefix="damage-") as directory, ThreadPoolExecutor(options.at_once) as pool:
        prepared = Prepared(Path(directory), options.customers)
        plans = make_plans(prepared, options.damages, options.seed)
        results = [_told(result) for result in pool.map(partial(run_trial, prepared), plans)]
    summary = summarize(results)
    result = metadata | {
        "options": vars(options),
        "frozen customers": len(prepared.frozen),
        "summary": summary,
        "trials": [describe(*result) for result in results],
    }
    raw_results.save(raw_results.path("damage-", result), result)
    print("\n".join(f"{name}: {number}" for name, number in summary.items()))
    return 1 if summary["bad trials"] else 0


def _told(result: tuple[Plan, Verdict]) -> tuple[Plan, Verdict]:
    plan, verdict = result
    print(f"trial {plan.number}: {verdict.outcome}, {verdict.seconds} s", flush=True)
    if not verdict.is_good:
        print(f"bad: {describe(plan, verdict)}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
