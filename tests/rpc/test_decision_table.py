"""Every cell of the decision table, over the wire, single and in a batch."""

from pathlib import Path

import grpc
import pytest
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest, CheckOperationResponse
from frostgate.v1.policy_pb2 import (
    BillingMode,
    Decision,
    DecisionReason,
    FreezeState,
    Operation,
    RuleBasis,
)
from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from support.calls import Calls, check_of, new_id, refusal
from support.decision_table import ALL_PLACES, CELLS, NO_CELLS, Place
from support.processes import PATIENCE
from support.server_process import Connection, ServerProcess
from support.statuses import error_info
from support.worker_in_process import worker_in_process

pytestmark = pytest.mark.both_dispatches(short=False)


@pytest.fixture(scope="module")
def customers(calls: Calls) -> dict[str, str]:
    """A customer in each state."""
    return {state: calls.new_customer(state) for state, _, _ in ALL_PLACES}


def check_at(place: Place, customer_id: str) -> CheckOperationRequest:
    _, mode, operation = place
    return check_of(
        customer_id=customer_id,
        billing_mode=BillingMode.Value(f"BILLING_MODE_{mode}"),
        operation=Operation.Value(f"OPERATION_{operation}"),
    )


def assert_is_that_of_the_cell(response: CheckOperationResponse, place: Place) -> None:
    assert CELLS[place] == (
        Decision.Name(response.decision).removeprefix("DECISION_"),
        DecisionReason.Name(response.reason).removeprefix("DECISION_REASON_"),
        RuleBasis.Name(response.basis).removeprefix("RULE_BASIS_"),
    )
    assert FreezeState.Name(response.freeze_state) == f"FREEZE_STATE_{place[0]}"
    assert 0 < len(response.message) <= 80
    assert len(response.policy_version) == 16


@pytest.mark.parametrize("place", CELLS, ids="/".join)
def test_a_check_is_answered_as_its_cell_says(server: ServerProcess, customers: dict[str, str], place: Place) -> None:
    response = server.decisions.CheckOperation(check_at(place, customers[place[0]]), timeout=PATIENCE)
    assert_is_that_of_the_cell(response, place)


def test_a_batch_answers_every_cell_in_the_order_asked(calls: Calls, customers: dict[str, str]) -> None:
    batch = calls.batch_check([check_at(place, customers[place[0]]) for place in ALL_PLACES])
    assert len(batch.results) == len(ALL_PLACES)
    for place, result in zip(ALL_PLACES, batch.results, strict=True):
        if place in CELLS:
            assert_is_that_of_the_cell(result.response, place)
            assert result.response.revision == batch.revision
        else:
            assert_says_not_applicable(result.error, place)


def assert_says_not_applicable(status: Status, place: Place) -> None:
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    info = error_info(status)
    assert (info.reason, dict(info.metadata)) == (
        "OPERATION_NOT_APPLICABLE",
        {"operation": place[2], "billing_mode": place[1]},
    )


@pytest.mark.parametrize("place", [*NO_CELLS, *(("unknown", mode, op) for s, mode, op in NO_CELLS if s == "NORMAL")])
def test_what_does_not_exist_for_a_mode_is_an_invalid_argument_in_every_state(
    server: ServerProcess, customers: dict[str, str], place: Place
) -> None:
    check = check_at(place, customers.get(place[0], "nobody"))
    refused = refusal(lambda: server.decisions.CheckOperation(check, timeout=PATIENCE))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "OPERATION_NOT_APPLICABLE")
    assert refused.metadata == {"operation": place[2], "billing_mode": place[1]}
    assert list(refused.violations) == ["operation"]


@pytest.mark.parametrize("setting", ["deny", "allow"])
def test_an_unknown_customer_is_answered_as_the_setting_says(tmp_path: Path, dispatch: str, setting: str) -> None:
    flags = {"call_dispatch": dispatch, "unknown_customer": setting}
    with worker_in_process(tmp_path / "frostgate.db", flags=flags) as (address, _), Connection(address) as server:
        calls = Calls(server)
        rules = calls.rules()
        places = [place for place in CELLS if place[0] == "NORMAL"]
        checks = [check_at(place, new_id()) for place in places]
        singles = [server.decisions.CheckOperation(check, timeout=PATIENCE) for check in checks]
        batched = [result.response for result in calls.batch_check(checks).results]
    assert Decision.Name(rules.unknown_customer_decision) == f"DECISION_{setting.upper()}"
    assert singles == batched
    for response in singles:
        assert response == CheckOperationResponse(
            decision=rules.unknown_customer_decision,
            reason=DecisionReason.DECISION_REASON_CUSTOMER_UNKNOWN,
            message=singles[0].message,
            policy_version=rules.policy_version,
        )
        assert not response.HasField("freeze_state")
        assert not response.HasField("basis")


def test_a_disassociated_customer_is_unknown(calls: Calls) -> None:
    customer_id = calls.new_customer("NORMAL")
    assert calls.check(customer_id=customer_id).reason == DecisionReason.DECISION_REASON_CUSTOMER_NORMAL
    calls.disassociate(customer_id=customer_id)
    assert calls.check(customer_id=customer_id).reason == DecisionReason.DECISION_REASON_CUSTOMER_UNKNOWN


def test_the_rules_listed_are_those_that_checks_are_answered_by(
    server: ServerProcess, calls: Calls, customers: dict[str, str]
) -> None:
    listed = calls.rules()
    assert len(listed.rules) == len(CELLS)
    for rule in listed.rules:
        state = FreezeState.Name(rule.freeze_state).removeprefix("FREEZE_STATE_")
        check = check_of(customer_id=customers[state], operation=rule.operation, billing_mode=rule.billing_mode)
        answer = server.decisions.CheckOperation(check, timeout=PATIENCE)
        assert (answer.decision, answer.reason, answer.basis) == (rule.decision, rule.reason, rule.basis)
        assert (answer.message, answer.policy_version) == (rule.message, listed.policy_version)


def test_a_batch_answers_what_single_checks_answer_and_bad_items_alone_fail(calls: Calls) -> None:
    customer_id = calls.new_customer()
    good = check_of(customer_id=customer_id)
    bad = check_of(customer_id="no spaces", minimum_revision=-1)
    batch = calls.batch_check([good, bad, good])
    single = calls.check(customer_id=customer_id)
    assert [batch.results[0].response, batch.results[2].response] == [single, single]
    error = batch.results[1].error
    alone = refusal(lambda: calls.check(customer_id="no spaces", minimum_revision=-1))
    assert (error.message, error_info(error).reason) == (alone.message, alone.reason)
    assert set(alone.violations) == {"customer_id", "minimum_revision"}


def test_a_batch_of_bad_items_alone_still_tells_the_revision(calls: Calls) -> None:
    revision = calls.associate(customer_id=new_id()).revision
    batch = calls.batch_check([CheckOperationRequest()])
    assert (batch.revision, batch.results[0].WhichOneof("result")) == (revision, "error")


def test_a_thousand_checks_are_answered_at_once_duplicates_and_all(calls: Calls) -> None:
    customer_id = calls.new_customer()
    batch = calls.batch_check([check_of(customer_id=customer_id)] * 1000)
    assert {MessageToDict(result)["response"]["decision"] for result in batch.results} == {"DECISION_ALLOW"}
    assert len(batch.results) == 1000


def test_an_operators_override_is_answered_with_its_own_basis(tmp_path: Path, dispatch: str) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(
        '[[rules]]\nfreeze_state = "ACCOUNT_FROZEN"\noperation = "VIEW"\n'
        'billing_modes = ["YEARLY_MONTHLY"]\ndecision = "ALLOW"\n'
    )
    flags = {"call_dispatch": dispatch, "policy": str(ours)}
    with worker_in_process(tmp_path / "frostgate.db", flags=flags) as (address, _), Connection(address) as server:
        calls = Calls(server)
        answer = calls.check(customer_id=calls.new_customer(), billing_mode=BillingMode.BILLING_MODE_YEARLY_MONTHLY)
    assert (answer.decision, answer.basis) == (Decision.DECISION_ALLOW, RuleBasis.RULE_BASIS_OVERRIDE)
    assert answer.reason == DecisionReason.DECISION_REASON_OPERATION_SUPPORTED
