"""Workers drain: alone, beside a hung one, and without their supervisor."""

import os
import signal
import time
from functools import partial

from support.calls import Calls
from support.processes import PATIENCE
from support.server_process import ServerProcess
from support.worker_lives import blocked, is_gone, unfreezing
from support.worker_processes import (
    eventually,
    holds_lock,
    is_stopped,
    serving_workers,
)


def test_a_worker_that_is_asked_to_drain_answers_what_it_has(impatient: ServerProcess) -> None:
    customer_id = Calls(impatient).new_customer()
    with blocked(impatient) as blocker:
        under_way = unfreezing(impatient, customer_id)
        assert Calls(impatient).check(customer_id=customer_id).message
        victims = serving_workers(impatient)
        for pid in victims:
            os.kill(pid, signal.SIGTERM)
        eventually(lambda: len(set(serving_workers(impatient)) - set(victims)) == 2, "replaced")
        time.sleep(4)  # longer than a hung worker is left alone
        assert not under_way.done()
        blocker.execute("ROLLBACK")
    assert under_way.result().message == "The account is unfrozen."
    for pid in victims:
        eventually(partial(is_gone, pid), "ended")


def test_a_hung_worker_does_not_keep_the_others_from_draining(impatient: ServerProcess) -> None:
    head_file = impatient.log.with_name("frostgate.db-head")
    victim = serving_workers(impatient)[0]
    customer_id = Calls(impatient).new_customer()
    with blocked(impatient) as blocker:
        under_way = unfreezing(impatient, customer_id)
        holder = eventually(
            lambda: [pid for pid in serving_workers(impatient) if holds_lock(pid, head_file)], "writing"
        )[0]
        victim = next(pid for pid in serving_workers(impatient) if pid != holder)
        os.kill(victim, signal.SIGSTOP)
        assert is_stopped(victim)
        impatient.process.terminate()
        eventually(partial(is_gone, victim), "killed")
        assert not under_way.done()
        blocker.execute("ROLLBACK")
    assert under_way.result().message == "The account is unfrozen."
    assert impatient.process.wait(PATIENCE) == 0
    assert f"process {victim} hangs during its drain: it is killed" in impatient.log.read_text()
