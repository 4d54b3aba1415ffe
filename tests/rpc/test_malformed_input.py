"""Malformed fields of every kind get the documented error."""

from typing import Any

import grpc
import pytest
from support.calls import Calls, check_of, refusal

pytestmark = [pytest.mark.usefixtures("the_server_goes_on"), pytest.mark.both_dispatches(short=False)]

ID_PROBLEMS = {
    "empty": ("", "is empty"),
    "too long": ("a" * 65, "has 65 characters"),
    "a space": ("a b", "has others"),
    "a newline": ("a\n", "has others"),
    "a control character": ("a\x00", "has others"),
    "a letter of another alphabet": ("\u0430", "has others"),
    "a slash": ("a/b", "has others"),
}


@pytest.mark.parametrize("value", ID_PROBLEMS)
@pytest.mark.parametrize("method", ["associate", "disassociate", "freeze", "unfreeze", "get", "check", "events"])
def test_a_malformed_customer_id_is_refused_by_every_method(calls: Calls, method: str, value: str) -> None:
    text, problem = ID_PROBLEMS[value]
    refused = refusal(lambda: getattr(calls, method)(customer_id=text))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refused.violations == {"customer_id": refused.violations["customer_id"]}
    assert refused.violations["customer_id"].startswith("must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    assert problem in refused.violations["customer_id"]
    assert refused.metadata["fields"] in refused.message


@pytest.mark.parametrize("value", ["a", "Z", "0", ".", "_", "-", "a" * 64])
def test_every_well_formed_id_is_taken(calls: Calls, value: str) -> None:
    assert calls.check(customer_id=value).message


REASON_PROBLEMS = {
    "empty": ("", "must have 1 to 256 characters after trimming but has 0"),
    "blank": (" \t\n ", "must have 1 to 256 characters after trimming but has 0"),
    "too long": ("\u00fc" * 257, "must have 1 to 256 characters after trimming but has 257"),
    "a control character": ("a\x07b", "must have no control characters but has U+0007 at 1"),
    "a newline": ("a\nb", "must have no control characters but has U+000A at 1"),
    "both": (
        "\x07" + "a" * 256,
        "must have 1 to 256 characters after trimming but has 257; must have no control characters but has U+0007 at 0",
    ),
}


@pytest.mark.parametrize("value", REASON_PROBLEMS)
@pytest.mark.parametrize("method", ["disassociate", "freeze", "unfreeze", "batch_freeze", "batch_unfreeze"])
def test_a_malformed_reason_is_refused_by_every_change(calls: Calls, method: str, value: str) -> None:
    text, problem = REASON_PROBLEMS[value]
    who: dict[str, Any] = {"customer_ids": ["a"]} if method.startswith("batch") else {"customer_id": "a"}
    refused = refusal(lambda: getattr(calls, method)(**who, reason=text))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refused.violations == {"reason": problem}


def test_the_longest_reason_is_taken_and_trimmed(calls: Calls) -> None:
    reason = "\u20ac" * 256
    customer_id = calls.new_customer("NORMAL")
    assert calls.freeze(customer_id=customer_id, reason=f"  {reason}\n").customer.freeze_reason == reason


@pytest.mark.parametrize(
    ("method", "fields", "field", "problem"),
    [
        ("freeze", {"scope": 0}, "scope", "must be one of FREEZE_SCOPE_ACCOUNT, FREEZE_SCOPE_ACCOUNT_AND_"),
        ("unfreeze", {"scope": 77}, "scope", "but is the unknown number 77"),
        ("check", {"operation": 0}, "operation", "but is not set"),
        ("check", {"operation": -1}, "operation", "but is the unknown number -1"),
        ("check", {"billing_mode": 0}, "billing_mode", "must be one of BILLING_MODE_YEARLY_MONTHLY, "),
        ("check", {"billing_mode": 4}, "billing_mode", "but is the unknown number 4"),
        ("check", {"minimum_revision": -1}, "minimum_revision", "must not be negative but is -1"),
        ("check", {"resource_id": "\u20ac" * 86}, "resource_id", "must have at most 256 bytes but has 258"),
        ("freeze", {"request_id": "1"}, "request_id", "must be a UUID such as"),
        ("freeze", {"request_id": "{123e4567-e89b-12d3-a456-426614174000}"}, "request_id", "must be a UUID"),
        ("associate", {"partner_id": ""}, "partner_id", "but is empty"),
    ],
)
def test_a_malformed_field_is_named_with_its_problem_and_what_would_be_right(
    calls: Calls, method: str, fields: dict[str, Any], field: str, problem: str
) -> None:
    refused = refusal(lambda: getattr(calls, method)(customer_id="a", **fields))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert list(refused.violations) == [field]
    assert problem in refused.violations[field]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"partner_id": ""}, "partner_id"),
        ({"freeze_state": 0}, "freeze_state"),
        ({"freeze_state": 9}, "freeze_state"),
        ({"page_size": -1}, "page_size"),
    ],
)
def test_a_malformed_listing_of_customers_is_refused(calls: Calls, fields: dict[str, Any], field: str) -> None:
    assert list(refusal(lambda: calls.list(**fields)).violations) == [field]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"customer_id": ""}, "customer_id"),
        ({"partner_id": "a b"}, "partner_id"),
        ({"after_revision": -1}, "after_revision"),
        ({"page_size": -5}, "page_size"),
        ({"start_time": {"seconds": -(2**62)}}, "start_time"),
        ({"end_time": {"nanos": -1}}, "end_time"),
        ({"start_time": {"seconds": 10}, "end_time": {"seconds": 10}}, "end_time"),
    ],
)
def test_a_malformed_listing_of_events_is_refused(calls: Calls, fields: dict[str, Any], field: str) -> None:
    refused = refusal(lambda: calls.events(**fields))
    assert (refused.reason, list(refused.violations)) == ("INVALID_FIELD", [field])


def test_all_malformed_fields_are_named_at_once(calls: Calls) -> None:
    refused = refusal(lambda: calls.freeze(customer_id="", scope=0, reason="", request_id="x"))
    assert set(refused.violations) == {"customer_id", "scope", "reason", "request_id"}
    refused = refusal(lambda: calls.check(customer_id="", operation=0, billing_mode=9, minimum_revision=-1))
    assert set(refused.violations) == {"customer_id", "operation", "billing_mode", "minimum_revision"}
    refused = refusal(lambda: calls.send_code("p", 9, "a!", "a!", scope=9))
    assert set(refused.violations) == {"action", "scope", "customer_ids[0]", "customer_ids[1]"}


def test_malformed_fields_are_named_before_the_items_of_a_malformed_list(calls: Calls) -> None:
    refused = refusal(lambda: calls.batch_freeze(customer_ids=["!"] * 30, scope=0, reason="", request_id="x"))
    assert list(refused.violations)[:4] == ["scope", "reason", "request_id", "customer_ids[0]"]
    assert len(refused.violations) == 25


def test_a_part_of_a_microsecond_counts(calls: Calls) -> None:
    customer_id = calls.new_customer()
    (event,) = calls.events(customer_id=customer_id).events
    seconds, nanos = event.event_time.seconds, event.event_time.nanos
    assert nanos % 1000 == 0
    for after, found in (0, [event]), (1, []), (999, []):
        start = {"seconds": seconds, "nanos": nanos + after}
        assert list(calls.events(customer_id=customer_id, start_time=start).events) == found
    for after, found in (0, []), (1, [event]), (999, [event]):
        end = {"seconds": seconds, "nanos": nanos + after}
        assert list(calls.events(customer_id=customer_id, end_time=end).events) == found


@pytest.mark.parametrize("size", [0, 1001])
def test_a_batch_of_checks_that_is_empty_or_too_large_is_refused(calls: Calls, size: int) -> None:
    refused = refusal(lambda: calls.batch_check([check_of(customer_id="a")] * size))
    assert refused.violations == {"checks": f"must have 1 to 1000 items but has {size}"}


@pytest.mark.parametrize("method", ["batch_freeze", "batch_unfreeze"])
@pytest.mark.parametrize("size", [0, 1001])
def test_a_batch_of_changes_that_is_empty_or_too_large_is_refused(calls: Calls, method: str, size: int) -> None:
    ids = [f"many-{number}" for number in range(size)]
    refused = refusal(lambda: getattr(calls, method)(customer_ids=ids))
    assert refused.violations == {"customer_ids": f"must have 1 to 1000 items but has {size}"}


def test_a_batch_full_of_malformed_ids_names_as_many_as_a_status_has_room_for(calls: Calls) -> None:
    refused = refusal(lambda: calls.batch_freeze(customer_ids=[f"{number}!" for number in range(1000)]))
    assert list(refused.violations) == [f"customer_ids[{number}]" for number in range(25)]
    assert "and 997 more" in refused.message


def test_a_malformed_time_does_not_make_another_field_wrong(calls: Calls) -> None:
    times = {"start_time": {"seconds": 2**61}, "end_time": {"seconds": 10}}
    assert list(refusal(lambda: calls.events(**times)).violations) == ["start_time"]
