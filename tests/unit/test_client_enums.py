"""The client's enums: names for programs and people, numbers for the wire, and numbers of newer servers kept."""

import copy
import dataclasses
import json
import pickle
from collections.abc import Callable
from typing import Any, Literal, assert_type

import frostgate
import pytest
from frostgate import BillingMode, Check, DecisionReason, ErrorReason, FreezeScope, FreezeState, Operation, enums
from frostgate.parsing import customers, decision, events, policy
from frostgate.v1 import customer_freeze_service_pb2 as freezes_pb
from frostgate.v1 import customer_pb2, error_reason_pb2, partner_pb2, policy_pb2
from frostgate.v1 import policy_decision_service_pb2 as decisions_pb
from frostgate.wire_enum import WireEnum
from google.protobuf.descriptor import EnumDescriptor
from support.both_clients import KINDS, open_client

WIRE: dict[str, EnumDescriptor] = {
    name: enum
    for file in (customer_pb2, error_reason_pb2, partner_pb2, policy_pb2)
    for name, enum in file.DESCRIPTOR.enum_types_by_name.items()
    if name != "Decision"  # is read as `allowed`
}
ENUMS: list[type[WireEnum]] = [getattr(enums, name) for name in WIRE]
MEMBERS = [member for enum in ENUMS for member in enum]


def pickled(protocol: int) -> Callable[[Any], Any]:
    return lambda value: pickle.loads(pickle.dumps(value, protocol))  # noqa: S301


COPIES: list[Callable[[Any], Any]] = [*map(pickled, range(pickle.HIGHEST_PROTOCOL + 1)), copy.copy, copy.deepcopy]


def wire_numbers(enum: EnumDescriptor) -> dict[str, int]:
    prefix = "".join(f"_{c}" if c.isupper() else c.upper() for c in enum.name).lstrip("_") + "_"
    return {value.name.removeprefix(prefix): value.number for value in enum.values if value.number}


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_an_enum_has_the_names_and_numbers_of_the_wire(enum: type[WireEnum]) -> None:
    numbers = wire_numbers(WIRE[enum.__name__])
    assert {member.value: member.number for member in enum} == numbers
    assert {enum.from_number(number): number for number in numbers.values()} == numbers


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_every_enum_is_exported_and_documented(enum: type[WireEnum]) -> None:
    assert getattr(frostgate, enum.__name__) is enum
    assert enum.__name__ in frostgate.__all__
    assert enum.__doc__ != WireEnum.__doc__


@pytest.mark.parametrize("member", MEMBERS, ids=repr)
def test_a_member_is_its_name_both_ways(member: WireEnum) -> None:
    enum = type(member)
    assert enum(member.name) is member
    assert (f"{member}", str(member), member.value) == (member.name, member.name, member.name)
    assert json.dumps({member: member}) == f'{{"{member.name}": "{member.name}"}}'
    for copied in COPIES:
        assert copied(member) is member


@pytest.mark.parametrize("number", [0, -1, 17_000])
@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_an_unknown_number_is_kept(enum: type[WireEnum], number: int) -> None:
    unknown = enum.from_number(number)
    assert type(unknown) is enum
    assert (unknown.number, f"{unknown}", unknown.name) == (number, f"UNRECOGNIZED_{number}", unknown.value)
    assert (unknown == enum.from_number(number), len({unknown, enum.from_number(number)})) == (True, 1)
    assert unknown != enum.from_number(number + 17_001)
    assert unknown not in list(enum)
    assert repr(unknown) == f"<{enum.__name__}.UNRECOGNIZED_{number}: 'UNRECOGNIZED_{number}'>"
    assert enum(json.loads(json.dumps(unknown))) == unknown
    for copied in COPIES:
        again = copied(unknown)
        assert (type(again), again, again.number) == (enum, unknown, number)


@pytest.mark.parametrize("member", MEMBERS, ids=repr)
def test_an_unknown_number_that_was_written_down_is_a_member_once_it_is_known(member: WireEnum) -> None:
    assert type(member)(f"UNRECOGNIZED_{member.number}") is member


@pytest.mark.parametrize("wrong", ["PURCHSE", "purchase", "OPERATION_PURCHASE", "", "UNRECOGNIZED_", 1, None])
def test_a_wrong_name_is_an_error_that_names_the_right_ones(wrong: Any) -> None:
    with pytest.raises(ValueError, match="is not a name of Operation: the names are PURCHASE, RENEW, ") as raised:
        Operation(wrong)
    assert repr(wrong) in str(raised.value)


def test_answers_are_written_and_read_as_json() -> None:
    message = decisions_pb.CheckOperationResponse(
        reason=policy_pb2.DECISION_REASON_ACCOUNT_FROZEN, freeze_state=policy_pb2.FREEZE_STATE_ACCOUNT_FROZEN
    )
    denied = decision(message)
    written = json.loads(json.dumps(dataclasses.asdict(denied)))
    assert (written["reason"], written["freeze_state"]) == ("ACCOUNT_FROZEN", "ACCOUNT_FROZEN")
    assert f"{denied.reason}" == "ACCOUNT_FROZEN"
    assert DecisionReason(written["reason"]) is denied.reason


def test_answers_of_a_newer_server_keep_its_numbers() -> None:
    new: Any = 99
    decided = decision(decisions_pb.CheckOperationResponse(reason=new, freeze_state=new, basis=new))
    assert [decided.reason.number, decided.freeze_state, decided.basis] == [99, "UNRECOGNIZED_99", "UNRECOGNIZED_99"]
    assert decided.allowed is False
    rule = policy_pb2.Rule(freeze_state=new, billing_mode=new, operation=new, reason=new, basis=new)
    (read,) = policy(decisions_pb.ListRulesResponse(rules=[rule])).rules
    assert {read.freeze_state, read.billing_mode, read.operation, read.reason, read.basis} == {"UNRECOGNIZED_99"}
    event = customer_pb2.FreezeEvent(action=new, scope=new, state_before=new, state_after=new)
    (told,) = events(freezes_pb.ListFreezeEventsResponse(events=[event]))[0]
    assert {told.action, told.scope, told.state_before, told.state_after} == {"UNRECOGNIZED_99"}
    (customer,) = customers(freezes_pb.ListCustomersResponse(customers=[customer_pb2.Customer(freeze_state=new)]))[0]
    assert customer.freeze_state == "UNRECOGNIZED_99"


def test_type_checkers_know_the_members() -> None:
    assert_type(Operation("VIEW"), Operation)
    assert_type(Operation.from_number(8), Operation)
    assert_type(Operation.VIEW.value, Literal["VIEW"])
    assert_type(Operation.VIEW.number, int)
    assert_type(list(FreezeState), list[FreezeState])


VIEW: dict[str, Any] = {"customer_id": "c", "operation": Operation.VIEW, "billing_mode": BillingMode.SPOT}
FREEZE: dict[str, Any] = {"scope": FreezeScope.ACCOUNT, "reason": "r"}
CODE: dict[str, Any] = {"partner_id": "p", "action": frostgate.VerificationAction.FREEZE, "scope": FreezeScope.ACCOUNT}
ENUM_ARGUMENTS: list[tuple[str, Callable[..., Any]]] = [
    ("operation", lambda client, wrong: client.check_operation(**VIEW | {"operation": wrong})),
    ("billing_mode", lambda client, wrong: client.check_operation(**VIEW | {"billing_mode": wrong})),
    (
        "checks[1].operation",
        lambda client, wrong: client.batch_check_operations([Check(**VIEW), Check(**VIEW | {"operation": wrong})]),
    ),
    (
        "checks[0].billing_mode",
        lambda client, wrong: client.batch_check_operations([Check(**VIEW | {"billing_mode": wrong})]),
    ),
    ("scope", lambda client, wrong: client.freeze_customer(customer_id="c", **FREEZE | {"scope": wrong})),
    ("scope", lambda client, wrong: client.unfreeze_customer(customer_id="c", **FREEZE | {"scope": wrong})),
    ("scope", lambda client, wrong: client.batch_freeze_customers(["c"], **FREEZE | {"scope": wrong})),
    ("scope", lambda client, wrong: client.batch_unfreeze_customers(["c"], **FREEZE | {"scope": wrong})),
    ("freeze_state", lambda client, wrong: client.list_customers(partner_id="p", freeze_state=wrong)),
    ("action", lambda client, wrong: client.send_verification_code(**CODE | {"action": wrong})),
    ("scope", lambda client, wrong: client.send_verification_code(**CODE | {"scope": wrong})),
]
OF_ENUM = {
    "operation": "Operation",
    "billing_mode": "BillingMode",
    "scope": "FreezeScope",
    "freeze_state": "FreezeState",
    "action": "VerificationAction",
}
WRONG_ARGUMENTS: list[tuple[object, type[Exception]]] = [
    ("PURCHSE", ValueError),
    ("", ValueError),
    ("UNRECOGNIZED_17", ValueError),
    (1, TypeError),
    (True, TypeError),
    (ErrorReason.INTERNAL, TypeError),
    (DecisionReason.ACCOUNT_FROZEN, TypeError),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("wrong", "error"), WRONG_ARGUMENTS, ids=repr)
def test_a_wrong_enum_argument_is_an_error_at_once_that_names_it(
    kind: str, wrong: object, error: type[Exception]
) -> None:
    with open_client(kind, "127.0.0.1:1") as client:
        for argument, call in ENUM_ARGUMENTS:
            with pytest.raises(error) as raised:
                call(client, wrong)
            enum = OF_ENUM[argument.split(".")[-1]]
            assert str(raised.value).startswith(f"{argument} must be a member of {enum}")
            value = wrong if error is TypeError else f"{wrong}"
            assert str(raised.value).endswith(f"but is {value!r}")


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_number_is_never_sent(kind: str) -> None:
    with open_client(kind, "127.0.0.1:1") as client:
        for argument, call in ENUM_ARGUMENTS:
            enum: type[WireEnum] = getattr(enums, OF_ENUM[argument.split(".")[-1]])
            with pytest.raises(ValueError, match="but is 'UNRECOGNIZED_17'") as raised:
                call(client, enum.from_number(17))
            assert str(raised.value).startswith(
                f"{argument} must be a member of {enum.__name__} that this client knows ({', '.join(enum)})"
            )
