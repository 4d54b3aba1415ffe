"""A part of the damage campaign: no frozen customer is answered as unknown, and older states are noticed in time."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from storage.damaged.campaign.plans import make_plans, summarize
from storage.damaged.campaign.prepared import Prepared
from storage.damaged.campaign.trial import describe, run_trial
from support.runner.sizes import size

DAMAGES = size(short=10, long=100)
CUSTOMERS = 600
AT_ONCE = 3


@pytest.mark.long
def test_damage_of_every_kind_is_refused_or_noticed(tmp_path: Path) -> None:
    prepared = Prepared(tmp_path, CUSTOMERS)
    plans = make_plans(prepared, DAMAGES, seed=DAMAGES)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(partial(run_trial, prepared), plans))
    summary = summarize(results)
    assert [describe(*result) for result in results if not result[1].is_good] == []
    assert summary["damages"] == DAMAGES
    assert summary["trials: served"]
    assert summary["answers: DENY known"]
