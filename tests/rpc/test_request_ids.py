"""request_id and validate_only: a repeated change is made once, and a validated one not at all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from rpc.contract_terms import ACCOUNT_FROZEN, NORMAL, RESOURCES_FROZEN, revision
from support.calls import RESOURCES, Calls, new_id, refusal
from support.server_process import ServerProcess

pytestmark = pytest.mark.both_dispatches(short=False)


def events_of(calls: Calls, customer_id: str) -> int:
    return len(calls.events(customer_id=customer_id).events)


# request_id


def replayable(calls: Calls) -> list[tuple[Callable[..., Any], dict[str, Any]]]:
    """Every change with a request that succeeds once."""
    return [
        (calls.associate, {"customer_id": new_id()}),
        (calls.disassociate, {"customer_id": calls.new_customer()}),
        (calls.freeze, {"customer_id": calls.new_customer("NORMAL")}),
        (calls.unfreeze, {"customer_id": calls.new_customer()}),
        (calls.batch_freeze, {"customer_ids": [calls.new_customer("NORMAL"), "nobody", calls.new_customer()]}),
        (calls.batch_unfreeze, {"customer_ids": [calls.new_customer("NORMAL"), "nobody", calls.new_customer()]}),
    ]


@pytest.mark.parametrize("place", range(6))
def test_request_id_gives_the_first_answer_again_and_changes_nothing(calls: Calls, place: int) -> None:
    change, fields = replayable(calls)[place]
    request_id = str(uuid4())
    first = change(**fields, request_id=request_id)
    after = revision(calls)
    assert change(**fields, request_id=request_id.upper()) == first
    assert revision(calls) == after


def test_request_id_replays_describe_the_moment_of_the_first_call(calls: Calls) -> None:
    request_id, customer_id = str(uuid4()), calls.new_customer("NORMAL")
    first = calls.freeze(customer_id=customer_id, reason=" unpaid", request_id=request_id)
    calls.unfreeze(customer_id=customer_id)
    again = calls.freeze(customer_id=customer_id, reason="unpaid ", request_id=request_id)
    assert again == first
    assert calls.get(customer_id).customer.freeze_state == NORMAL


def test_request_id_survives_a_restart(tmp_path: Path) -> None:
    request_id = str(uuid4())
    answers = []
    for _ in range(2):
        with ServerProcess(tmp_path / "frostgate.db") as server:
            answers.append(Calls(server).associate(customer_id="a", request_id=request_id))
            server.kill()
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "other",
    [{"reason": "else"}, {"scope": RESOURCES}, {"customer_id": "nobody"}],
)
def test_request_id_with_other_content_is_refused(calls: Calls, other: dict[str, Any]) -> None:
    request_id = str(uuid4())
    fields = {"customer_id": calls.new_customer("NORMAL"), "request_id": request_id}
    calls.freeze(**fields)
    refused = refusal(lambda: calls.freeze(**{**fields, **other}))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert refused.metadata == {"request_id": request_id}
    assert list(refused.violations) == ["request_id"]


def test_request_id_is_kept_for_each_method_apart(calls: Calls) -> None:
    request_id, customer_id = str(uuid4()), calls.new_customer("NORMAL")
    frozen = calls.freeze(customer_id=customer_id, request_id=request_id)
    assert calls.unfreeze(customer_id=customer_id, request_id=request_id).revision == frozen.revision + 1


def test_request_id_of_a_refused_change_is_not_kept(calls: Calls) -> None:
    request_id, customer_id = str(uuid4()), calls.new_customer()
    assert refusal(lambda: calls.freeze(customer_id=customer_id, request_id=request_id)).reason == "ALREADY_FROZEN"
    calls.unfreeze(customer_id=customer_id)
    assert calls.freeze(customer_id=customer_id, request_id=request_id).customer.freeze_state == ACCOUNT_FROZEN


def test_request_id_of_a_batch_that_changes_nothing_is_not_kept(calls: Calls) -> None:
    request_id, frozen, normal = str(uuid4()), calls.new_customer(), calls.new_customer("NORMAL")
    for batch, unchanged in ((calls.batch_freeze, frozen), (calls.batch_unfreeze, normal)):
        fields = {"customer_ids": [unchanged, "nobody"], "request_id": request_id}
        first = batch(**fields)
        assert {result.WhichOneof("result") for result in first.results} == {"error"}
        calls.new_customer()
        again = batch(**fields)
        assert (list(again.results), again.revision) == (list(first.results), first.revision + 1)
    calls.unfreeze(customer_id=frozen)
    made = calls.batch_freeze(customer_ids=[frozen, "nobody"], request_id=request_id)
    assert made.results[0].customer.freeze_state == ACCOUNT_FROZEN
    calls.unfreeze(customer_id=frozen)
    assert calls.batch_freeze(customer_ids=[frozen, "nobody"], request_id=request_id) == made


def test_request_id_is_told_by_the_event_in_lower_case(calls: Calls) -> None:
    request_id, customer_id = str(uuid4()).upper(), new_id()
    calls.associate(customer_id=customer_id, request_id=request_id)
    assert calls.events(customer_id=customer_id).events[0].request_id == request_id.lower()


def test_request_id_sent_64_times_at_once_makes_one_event_and_64_equal_answers(calls: Calls) -> None:
    request_id, customer_id = str(uuid4()), calls.new_customer("NORMAL")
    before = events_of(calls, customer_id)

    def freeze(_: int) -> Any:
        return calls.freeze(customer_id=customer_id, request_id=request_id)

    with ThreadPoolExecutor(64) as callers:
        answers = list(callers.map(freeze, range(64)))
    assert len(answers) == 64
    assert all(answer == answers[0] for answer in answers)
    assert events_of(calls, customer_id) == before + 1


# validate_only


def test_validate_only_says_what_would_be_and_changes_nothing(calls: Calls) -> None:
    customer_id = calls.new_customer()
    before = calls.get(customer_id).customer
    current = revision(calls)
    foreseen = calls.freeze(customer_id=customer_id, scope=RESOURCES, reason="if", validate_only=True)
    assert (foreseen.customer.freeze_state, foreseen.customer.freeze_reason) == (RESOURCES_FROZEN, "if")
    assert foreseen.customer.HasField("retention_expire_time")
    assert (foreseen.revision, revision(calls)) == (current, current)
    assert calls.get(customer_id).customer == before
    assert calls.unfreeze(customer_id=customer_id, validate_only=True).customer.freeze_state == NORMAL


def test_validate_only_makes_every_check(calls: Calls) -> None:
    customer_id = calls.new_customer()
    assert refusal(lambda: calls.freeze(customer_id="nobody", validate_only=True)).reason == "CUSTOMER_NOT_FOUND"
    assert refusal(lambda: calls.freeze(customer_id=customer_id, validate_only=True)).reason == "ALREADY_FROZEN"
    mismatch = refusal(lambda: calls.unfreeze(customer_id=customer_id, scope=RESOURCES, validate_only=True))
    assert mismatch.reason == "SCOPE_MISMATCH"
    assert refusal(lambda: calls.freeze(customer_id="", validate_only=True)).reason == "INVALID_FIELD"


def test_validate_only_neither_keeps_nor_replays_a_request_id(calls: Calls) -> None:
    request_id, customer_id = str(uuid4()), calls.new_customer("NORMAL")
    calls.freeze(customer_id=customer_id, request_id=request_id, validate_only=True)
    calls.freeze(customer_id=customer_id, request_id=request_id, reason="other content, yet the first of its id")
    refused = refusal(lambda: calls.freeze(customer_id=customer_id, request_id=request_id, validate_only=True))
    assert refused.reason == "ALREADY_FROZEN"
