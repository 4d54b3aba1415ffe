"""The client's values and exceptions: no truth value where it misleads, copies, and lists that are no strings."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import frostgate
import grpc
import pytest
from frostgate import BillingMode, Check, DecisionReason, FreezeScope, FreezeState, Operation, RuleBasis
from frostgate.errors import FieldViolation

NOW = datetime(2026, 11, 20, tzinfo=UTC)
DENIED = frostgate.Decision(
    False, DecisionReason.ACCOUNT_FROZEN, "no", FreezeState.ACCOUNT_FROZEN, RuleBasis.LISTED, 1, "0" * 16
)
CUSTOMER = frostgate.Customer("c", "p", FreezeState.NORMAL, None, None, None, True, NOW, NOW, 1)
RULE = frostgate.Rule(
    FreezeState.NORMAL,
    BillingMode.SPOT,
    Operation.VIEW,
    True,
    DecisionReason.CUSTOMER_NORMAL,
    RuleBasis.PROSE,
    "yes",
    "",
)
REFUSED = frostgate.NotFound("no such customer", code=grpc.StatusCode.NOT_FOUND, reason="CUSTOMER_NOT_FOUND")
VALUES = [
    DENIED,
    CUSTOMER,
    RULE,
    frostgate.BatchDecisions((DENIED, REFUSED), 1),
    frostgate.FreezeResult(CUSTOMER, "frozen", 1),
    frostgate.BatchFreezeResult({"c": CUSTOMER, "d": REFUSED}, 1),
    Check("c", Operation.VIEW, BillingMode.SPOT),
]
ERROR_CLASSES = [
    kind
    for kind in vars(frostgate).values()
    if isinstance(kind, type) and issubclass(kind, frostgate.FrostgateError) and kind is not frostgate.OutcomeUnknown
]
ERRORS: list[frostgate.FrostgateError] = [
    *(
        kind(
            "it failed",
            code=grpc.StatusCode.INTERNAL,
            reason="INTERNAL",
            metadata={"call_id": "1"},
            field_violations=[FieldViolation("reason", "is empty")],
            retry_after=1.5,
        )
        for kind in ERROR_CLASSES
    ),
    frostgate.OutcomeUnknown("lost", code=grpc.StatusCode.UNAVAILABLE, request_id="r"),
]
COPIES: list[Callable[[Any], Any]] = [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy]  # noqa: S301


@pytest.mark.parametrize(
    ("value", "instead"),
    [
        (DENIED, "`decision.allowed`"),
        (RULE, "`rule.allowed`"),
        (VALUES[3], "`result.allowed` for each"),
        (VALUES[5], "`isinstance(result, Customer)` for each"),
    ],
    ids=["decision", "rule", "batch of decisions", "batch of changes"],
)
def test_a_result_that_may_be_a_no_has_no_truth_value(value: object, instead: str) -> None:
    for ask in (bool, lambda value: not value, lambda value: value and 1):
        with pytest.raises(TypeError, match=type(value).__name__) as raised:
            ask(value)
        assert instead in str(raised.value)


@pytest.mark.parametrize("copied", COPIES, ids=["pickled", "copied", "copied deeply"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_exception_is_the_same_after_a_copy(error: frostgate.FrostgateError, copied: Callable[[Any], Any]) -> None:
    again = copied(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize("copied", COPIES, ids=["pickled", "copied", "copied deeply"])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_the_same_after_a_copy(value: object, copied: Callable[[Any], Any]) -> None:
    assert repr(copied(value)) == repr(value)


@pytest.mark.parametrize("ids", ["n-1", b"n-1", "", [1], [None], ["n-1", 2]], ids=repr)
def test_a_string_is_no_list_of_ids(ids: Any) -> None:
    change: dict[str, Any] = {"scope": FreezeScope.ACCOUNT, "reason": "unpaid"}
    with frostgate.Client("127.0.0.1:1") as client:
        for call in (
            lambda: client.batch_freeze_customers(customer_ids=ids, **change),
            lambda: client.batch_unfreeze_customers(customer_ids=ids, **change),
            lambda: client.send_verification_code(
                partner_id="p", action=frostgate.VerificationAction.FREEZE, customer_ids=ids, scope=FreezeScope.ACCOUNT
            ),
        ):
            with pytest.raises(TypeError, match="customer_ids"):
                call()


@pytest.mark.parametrize("checks", ["n-1", [DENIED], [{"customer_id": "n-1"}]], ids=["a string", "answers", "dicts"])
def test_a_batch_of_checks_takes_checks_only(checks: Any) -> None:
    with frostgate.Client("127.0.0.1:1") as client, pytest.raises(TypeError, match="checks"):
        client.batch_check_operations(checks)
