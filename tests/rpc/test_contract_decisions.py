"""What two engineers would decide differently, and the contract decides: a test for each line, over the wire."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from rpc.contract_terms import NORMAL, revision
from support.calls import RESOURCES, Calls, check_of, new_id, refusal
from support.server_process import TWO_WORKERS, Connection, ServerProcess, refused_start
from support.statuses import error_info
from support.worker_in_process import worker_in_process

pytestmark = pytest.mark.both_dispatches(short=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, dispatch: str) -> Iterator[ServerProcess]:
    """A server with two workers: a change on one is seen on the other."""
    with ServerProcess(tmp_path_factory.mktemp(dispatch) / "frostgate.db", TWO_WORKERS) as process:
        yield process


# Revision


def test_revision_rises_by_one_for_each_change_and_not_for_reads_or_refusals(calls: Calls) -> None:
    customer_id = calls.new_customer()
    before = revision(calls)
    refusal(lambda: calls.freeze(customer_id=customer_id))
    calls.get(customer_id)
    calls.rules()
    calls.freeze(customer_id=customer_id, scope=RESOURCES, validate_only=True)
    assert revision(calls) == before
    assert calls.freeze(customer_id=customer_id, scope=RESOURCES).revision == before + 1


def test_revision_counts_each_customer_of_a_batch_in_the_order_asked(calls: Calls) -> None:
    ids = [calls.new_customer("NORMAL") for _ in range(3)]
    before = revision(calls)
    batch = calls.batch_freeze(customer_ids=ids[::-1])
    assert [result.customer.revision for result in batch.results] == [before + 1, before + 2, before + 3]
    assert [result.customer_id for result in batch.results] == ids[::-1]
    assert batch.revision == before + 3


def test_revision_is_never_reused_after_a_restart(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    seen = []
    for _ in range(3):
        with ServerProcess(database) as server:
            seen.append(Calls(server).associate(customer_id=new_id()).revision)
            server.kill()
    assert seen == [1, 2, 3]


# An acknowledged change is never missed


def test_an_acknowledged_change_is_seen_by_check_batch_get_and_list_on_every_connection(
    server: ServerProcess, calls: Calls
) -> None:
    partner, customer_id = new_id(), new_id()
    calls.associate(customer_id=customer_id, partner_id=partner)
    changes: list[Callable[..., Any]] = [calls.freeze, calls.unfreeze]
    for change in changes * 10:
        answer = change(customer_id=customer_id, scope=RESOURCES)
        with Connection(server.address) as connection:
            elsewhere = Calls(connection)
            checked = elsewhere.check(customer_id=customer_id)
            batched = elsewhere.batch_check([check_of(customer_id=customer_id)]).results[0].response
            got = elsewhere.get(customer_id).customer
            listed = elsewhere.list(partner_id=partner).customers[0]
        assert checked.freeze_state == batched.freeze_state == answer.customer.freeze_state
        assert got == listed == answer.customer
        assert checked.revision == answer.revision


# Order of checks


def test_order_of_checks_shape_before_replay_before_existence_before_transition(calls: Calls) -> None:
    request_id = str(uuid4())
    customer_id = calls.new_customer("NORMAL")
    calls.freeze(customer_id=customer_id, request_id=request_id)
    shape = refusal(lambda: calls.freeze(customer_id="", request_id=request_id))
    replay = refusal(lambda: calls.freeze(customer_id="nobody", request_id=request_id))
    existence = refusal(lambda: calls.freeze(customer_id="nobody"))
    transition = refusal(lambda: calls.freeze(customer_id=customer_id))
    assert [shape.reason, replay.reason, existence.reason, transition.reason] == [
        "INVALID_FIELD",
        "REQUEST_ID_REUSED",
        "CUSTOMER_NOT_FOUND",
        "ALREADY_FROZEN",
    ]


# Batches of changes


def test_batches_of_changes_fail_whole_for_a_malformed_or_doubled_id(calls: Calls) -> None:
    ids = [calls.new_customer("NORMAL") for _ in range(3)]
    before = revision(calls)
    doubled = refusal(lambda: calls.batch_freeze(customer_ids=[*ids, ids[1]]))
    malformed = refusal(lambda: calls.batch_freeze(customer_ids=[*ids, "a b"]))
    assert doubled.violations == {"customer_ids[3]": "must stand there once but is customer_ids[1] again"}
    assert list(malformed.violations) == ["customer_ids[3]"]
    assert revision(calls) == before


def test_batches_of_changes_commit_the_rest_where_one_is_refused(calls: Calls) -> None:
    frozen, normal = calls.new_customer(), calls.new_customer("NORMAL")
    before = revision(calls)
    batch = calls.batch_freeze(customer_ids=[frozen, normal, "nobody"])
    assert [result.WhichOneof("result") for result in batch.results] == ["error", "customer", "error"]
    assert [error_info(batch.results[place].error).reason for place in (0, 2)] == [
        "ALREADY_FROZEN",
        "CUSTOMER_NOT_FOUND",
    ]
    assert batch.results[1].customer == calls.get(normal).customer
    assert batch.revision == before + 1 == revision(calls)


def test_batches_of_changes_tell_the_current_revision_where_nothing_changed(calls: Calls) -> None:
    frozen = calls.new_customer()
    before = revision(calls)
    batch = calls.batch_freeze(customer_ids=[frozen])
    assert (batch.revision, batch.results[0].WhichOneof("result")) == (before, "error")


def test_batches_of_changes_may_hold_a_thousand_customers(calls: Calls) -> None:
    ids = [new_id() for _ in range(1000)]
    for customer_id in ids[:3]:
        calls.associate(customer_id=customer_id)
    batch = calls.batch_unfreeze(customer_ids=ids)
    kinds = [result.WhichOneof("result") for result in batch.results]
    assert kinds == ["customer"] * 3 + ["error"] * 997
    assert [result.customer_id for result in batch.results] == ids


# Retention


def test_retention_is_expired_when_its_time_is_not_after_now_and_unfreezing_is_still_allowed(
    tmp_path: Path, dispatch: str
) -> None:
    flags = {"call_dispatch": dispatch, "retention_period": "0s"}
    with worker_in_process(tmp_path / "frostgate.db", flags=flags) as (address, _), Connection(address) as server:
        calls = Calls(server)
        customer_id = calls.new_customer("ACCOUNT_AND_RESOURCES_FROZEN")
        frozen = calls.get(customer_id).customer
        expired = calls.list(retention_expired=True).customers
        kept = calls.list(retention_expired=False).customers
        unfrozen = calls.unfreeze(customer_id=customer_id, scope=RESOURCES).customer
    assert frozen.retention_expire_time == frozen.freeze_time
    assert (list(expired), list(kept)) == ([frozen], [])
    assert unfrozen.freeze_state == NORMAL


def test_retention_is_stored_at_the_freeze_and_not_recomputed(tmp_path: Path, dispatch: str) -> None:
    database, flags = tmp_path / "frostgate.db", {"call_dispatch": dispatch, "retention_period": "10d"}
    with worker_in_process(database, flags=flags) as (address, _), Connection(address) as server:
        customer_id = Calls(server).new_customer("ACCOUNT_AND_RESOURCES_FROZEN")
        before = Calls(server).get(customer_id).customer
    flags["retention_period"] = "1d"
    with worker_in_process(database, flags=flags) as (address, _), Connection(address) as server:
        after = Calls(server).get(customer_id).customer
    assert before == after
    assert after.retention_expire_time.seconds - after.freeze_time.seconds == 10 * 24 * 3600


# Paging


def test_paging_tokens_are_bound_to_the_filters(calls: Calls) -> None:
    partner = new_id()
    for _ in range(3):
        calls.associate(customer_id=new_id(), partner_id=partner)
    customers = calls.list(partner_id=partner, page_size=1).next_page_token
    events = calls.events(partner_id=partner, page_size=1).next_page_token
    assert calls.list(partner_id=partner, page_size=5, page_token=customers).customers
    assert calls.events(partner_id=partner, page_size=5, page_token=events).events
    for refused in [
        refusal(lambda: calls.list(partner_id=partner, freeze_state=NORMAL, page_token=customers)),
        refusal(lambda: calls.list(partner_id=partner, retention_expired=False, page_token=customers)),
        refusal(lambda: calls.list(partner_id="partner", page_token=customers)),
        refusal(lambda: calls.events(page_token=events)),
        refusal(lambda: calls.events(partner_id=partner, after_revision=0, page_token=events)),
        refusal(lambda: calls.events(partner_id=partner, page_token=customers)),
    ]:
        assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


def test_paging_goes_on_by_key_whatever_changes_meanwhile(calls: Calls) -> None:
    partner = new_id()
    ids = sorted(new_id() for _ in range(4))
    for customer_id in ids:
        calls.associate(customer_id=customer_id, partner_id=partner)
    first = calls.list(partner_id=partner, page_size=2)
    calls.disassociate(customer_id=ids[1])
    calls.disassociate(customer_id=ids[2])
    rest = calls.list(partner_id=partner, page_size=2, page_token=first.next_page_token)
    assert [customer.customer_id for customer in rest.customers] == [ids[3]]
    assert rest.next_page_token == ""


def test_paging_gives_50_by_default_and_1000_at_most(calls: Calls) -> None:
    ids = [calls.new_customer() for _ in range(60)]
    while revision(calls) <= 1001:
        calls.batch_unfreeze(customer_ids=ids)
        calls.batch_freeze(customer_ids=ids)
    assert len(calls.events().events) == 50
    assert len(calls.events(page_size=2**31 - 1).events) == 1000


# Policy files of operators: see test_policy.py for each rule; here, that the server refuses to start with a bad one


def test_policy_files_of_operators_that_break_the_rules_keep_the_server_from_starting(tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(
        '[[rules]]\nfreeze_state = "ACCOUNT_FROZEN"\noperation = "PURCHASE"\n'
        'billing_modes = ["SPOT"]\ndecision = "ALLOW"\n'
    )
    line = refused_start("serve", "--policy", str(ours))
    assert f"policy file {ours}: rule 1: ACCOUNT_FROZEN / SPOT / PURCHASE is LISTED in the source" in line


# minimum_revision


def test_minimum_revision_not_reached_is_refused_at_once_and_reached_is_answered(calls: Calls) -> None:
    customer_id = calls.new_customer()
    current = revision(calls)
    assert calls.check(customer_id=customer_id, minimum_revision=current).revision == current
    for refused in [
        refusal(lambda: calls.check(customer_id=customer_id, minimum_revision=current + 1)),
        refusal(lambda: calls.batch_check([check_of(customer_id=customer_id)], minimum_revision=current + 1)),
        refusal(lambda: calls.batch_check([check_of(customer_id="a", minimum_revision=current + 1), check_of()])),
    ]:
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "REVISION_NOT_REACHED")
        assert refused.metadata == {"minimum_revision": str(current + 1), "revision": str(current)}
