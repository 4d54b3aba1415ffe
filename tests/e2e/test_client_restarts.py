"""A server killed and started again, many times, under clients that go on calling."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import frostgate
import pytest
from frostgate import BillingMode, FreezeScope, Operation
from support.both_clients import KINDS, open_client
from support.processes import PATIENCE
from support.runner.sizes import size
from support.server_process import ServerProcess

RESTARTS = size(short=2, long=40)
"""Of each kind of client."""

TIMEOUT = 12.0
GRACE = 10.0
"""Seconds that a call may end after its deadline on a loaded machine: less than a second deadline."""

FIRST_CHECKS = 20


@dataclass
class Record:
    """What one caller saw."""

    answers: int = 0
    errors: list[frostgate.FrostgateError] = field(default_factory=list)
    longest: float = 0.0

    def timed(self, call: Callable[[], Any]) -> Any:
        """Makes a call; None if there was no answer."""
        began = time.monotonic()
        try:
            answer = call()
        except frostgate.FrostgateError as error:
            self.errors.append(error)
            return None
        finally:
            self.longest = max(self.longest, time.monotonic() - began)
        self.answers += 1
        return answer


def keep_checking(client: Any, stop: Event, first_checks: list[Event]) -> Record:
    """Checks until told to stop; says after each restart when checks are answered again."""
    record = Record()
    check = partial(
        client.check_operation, customer_id="changing", operation=Operation.ACCESS, billing_mode=BillingMode.SPOT
    )
    while not stop.is_set():
        if record.timed(check) is not None:
            first_checks[-1].set()
    return record


def keep_changing(client: Any, stop: Event) -> tuple[Record, int]:
    """Freezes and unfreezes in turn, and finds out what is unknown; counts the changes that it knows to be made."""
    record, made = Record(), 0
    while not stop.is_set():
        change = client.freeze_customer if made % 2 else client.unfreeze_customer
        fields = {"customer_id": "changing", "scope": FreezeScope.ACCOUNT, "reason": f"change {made}"}
        while record.timed(partial(change, **fields)) is None:
            unknown = record.errors[-1]
            assert isinstance(unknown, frostgate.OutcomeUnknown), unknown
            fields["request_id"] = unknown.request_id
        made += 1
    return record, made


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_checks_resume_no_change_happens_twice_and_no_call_outlives_its_deadline(kind: str, tmp_path: Path) -> None:
    database, listen = tmp_path / "frostgate.db", f"unix:{tmp_path}/socket"
    chance = random.Random(2024)
    stop, first_checks = Event(), [Event()]
    with ThreadPoolExecutor(2) as pool, ExitStack() as opened:
        server = opened.enter_context(ServerProcess(database, "--listen", listen))
        client = opened.enter_context(open_client(kind, server.address, timeout=TIMEOUT))
        client.associate_customer(customer_id="changing", partner_id="partner")
        opened.callback(stop.set)
        checking = pool.submit(keep_checking, client, stop, first_checks)
        changing = pool.submit(keep_changing, client, stop)
        for _ in range(RESTARTS):
            assert first_checks[-1].wait(PATIENCE), "checks did not resume"
            for _ in range(chance.randrange(FIRST_CHECKS)):
                client.list_rules()
            server.kill()
            server = opened.enter_context(ServerProcess(database, "--listen", listen))
            first_checks.append(Event())
        assert first_checks[-1].wait(PATIENCE), "checks did not resume"
        stop.set()
        checks = checking.result(PATIENCE)
        changes, made = changing.result(PATIENCE)
        events = client.list_freeze_events(customer_id="changing", page_size=1000)
    assert [event.reason for event in reversed(events)][1:] == [f"change {number}" for number in range(made)]
    assert made > RESTARTS / 2
    assert max(checks.longest, changes.longest) < TIMEOUT + GRACE
    assert {type(error) for error in checks.errors} <= {frostgate.Unavailable, frostgate.DeadlineExceeded}
    assert checks.answers > RESTARTS
