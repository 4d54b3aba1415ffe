"""Checks that wait: who may add one, in which order they are answered, and which are answered elsewhere."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import pytest
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest
from frostgate_server.domain.caller import ANONYMOUS, Caller
from frostgate_server.domain.errors import FrostgateError, InvalidFields, StorageUnavailable
from frostgate_server.rpc.loop import checks
from frostgate_server.rpc.loop.checks import LARGEST_GROUP, LARGEST_ON_LOOP, CheckGroups
from frostgate_server.rpc.loop.limits import owner_of
from frostgate_server.rpc.loop.unary_call import UnaryCall
from frostgate_server.rpc.method_handlers import MethodHandler
from frostgate_server.rpc.policy_decision_servicer import PolicyDecisionServicer
from frostgate_server.rpc.reply import OVERLOADED, Reply

NOW = 1000.0
LARGE = CheckOperationRequest(customer_id="a", resource_id="r" * LARGEST_ON_LOOP).SerializeToString()
REFUSED = Reply(None, 3, "refused")


class FakeCall:
    """A call that notes what became of it."""

    def __init__(self, message: bytes = b"", principal: str = ANONYMOUS, peer: str = "ipv4:10.0.0.1:50000") -> None:
        self.message = message or CheckOperationRequest(customer_id="a").SerializeToString()
        self.deadline = NOW + 1
        self.principal: str | None = principal
        self.became: list[object] = []
        self._peer = peer

    def peer(self) -> str:
        return self._peer

    def answer(self, message: bytes) -> None:
        self.became.append(message)

    def reply(self, reply: Reply) -> None:
        self.became.append(reply)

    def drop(self) -> None:
        self.became.append("dropped")


class FakeHandler:
    """Knows callers by their principals, all but None."""

    def find_caller(self, call: Any) -> Caller | None:
        return None if call.principal is None else Caller(lambda: True, call.principal)

    def find_principal(self, call: Any) -> str:
        return call.principal if call.principal not in {None, ANONYMOUS} else ""

    def refuse(self, _: Caller, __: FrostgateError) -> Reply:
        return REFUSED


class Handed(NamedTuple):
    """A call that was handed over, with its caller."""

    call: FakeCall
    principal: str | None


class Checking:
    """Groups of checks over fakes. A check takes `seconds` of a clock that stands otherwise."""

    def __init__(self, most_waiting: int) -> None:
        self.groups_read: list[list[str]] = []
        self.handed: list[Handed] = []
        self.fails = False
        self.seconds = 0.0
        self.elapsed = 0.0
        handler, servicer = cast(MethodHandler, FakeHandler()), cast(PolicyDecisionServicer, self)
        self.groups = CheckGroups(handler, servicer, self._hand_over, most_waiting)

    def check_group(self, requests: Sequence[CheckOperationRequest], **_: bool) -> list[bytes | FrostgateError]:
        """In the place of the servicer: an answer names its customer, and those without one are refused."""
        self.elapsed += self.seconds * len(requests)
        if self.fails:
            raise StorageUnavailable("gone")
        self.groups_read.append([request.customer_id for request in requests])
        return [one.customer_id.encode() if one.customer_id else InvalidFields([]) for one in requests]

    def add(self, call: FakeCall) -> FakeCall:
        self.groups.add(cast(UnaryCall, call))
        return call

    def has_room(self, call: FakeCall) -> bool:
        return self.groups.has_room(cast(UnaryCall, call))

    def fill(self, count: int, principal: str = ANONYMOUS) -> list[FakeCall]:
        return [self.add(FakeCall(principal=principal)) for _ in range(count)]

    def _hand_over(self, call: Any, caller: Caller | None) -> None:
        self.handed.append(Handed(call, None if caller is None else caller.principal))


@pytest.fixture
def checking(monkeypatch: pytest.MonkeyPatch) -> Checking:
    """Room for 1000 checks."""
    made = Checking(most_waiting=1000)
    monkeypatch.setattr(checks, "time", lambda: NOW)
    monkeypatch.setattr(checks, "monotonic", lambda: made.elapsed)
    return made


@pytest.fixture
def crowded(checking: Checking) -> Checking:
    """As many checks wait as may, all of one caller."""
    checking.fill(1000, principal="sub:busy")
    return checking


def test_beyond_the_limit_only_callers_with_few_waiting_checks_may_add_to_them(crowded: Checking) -> None:
    assert not crowded.has_room(FakeCall(principal="sub:busy"))
    assert crowded.add(FakeCall(principal="sub:busy")).became == [OVERLOADED]
    assert crowded.has_room(FakeCall(principal="sub:other"))
    assert crowded.has_room(FakeCall(peer="ipv4:10.0.0.2:1"))


@pytest.mark.parametrize(("count", "room"), [(400, True), (500, False)])
def test_beyond_the_limit_few_checks_are_less_than_an_equal_share(crowded: Checking, count: int, room: bool) -> None:
    crowded.fill(count, principal="sub:other")
    # Two callers wait, so that each may have 500.
    assert crowded.has_room(FakeCall(principal="sub:other")) is room
    assert crowded.has_room(FakeCall(principal="sub:third"))


def test_beyond_the_limit_a_connection_with_few_waiting_checks_may_add_to_them(checking: Checking) -> None:
    checking.fill(1000)
    assert not checking.has_room(FakeCall())
    assert checking.has_room(FakeCall(peer="ipv4:10.0.0.1:50001"))


def test_with_twice_the_limit_nobody_may_add(crowded: Checking) -> None:
    added = [crowded.add(FakeCall(peer=f"ipv4:10.0.{number}.1:1")) for number in range(1001)]
    assert [call.became for call in added] == [[]] * 1000 + [[OVERLOADED]]
    assert not crowded.has_room(FakeCall(principal="sub:other"))


def test_anonymous_callers_are_told_apart_by_address_and_principals_by_name() -> None:
    owners = [
        owner_of(cast(UnaryCall, FakeCall(principal=principal, peer=peer)), cast(MethodHandler, FakeHandler()))
        for principal, peer in [
            (ANONYMOUS, "ipv4:10.0.0.1:50000"),
            (ANONYMOUS, "ipv6:%5B::1%5D:50001"),
            ("sub:a", "ipv4:10.0.0.1:50000"),
            ("sub:a", "ipv4:10.0.0.2:50000"),
        ]
    ]
    assert owners == [
        ("ipv4:10.0.0.1", "ipv4:10.0.0.1:50000"),
        ("ipv6:%5B::1%5D", "ipv6:%5B::1%5D:50001"),
        ("sub:a", "ipv4:10.0.0.1:50000"),
        ("sub:a", "ipv4:10.0.0.2:50000"),
    ]


def test_a_check_that_would_wait_beyond_its_deadline_finds_no_room(checking: Checking) -> None:
    checking.seconds = 0.02
    checking.fill(1000)
    for _ in range(14):
        checking.groups.answer_group()
    # 104 checks wait. They take about 1.5 seconds, and the deadline is in one.
    assert not checking.has_room(FakeCall())
    patient = FakeCall()
    patient.deadline = NOW + 10
    assert checking.has_room(patient)
    checking.groups.answer_group()
    # The rest is less than a group, whatever it takes.
    assert checking.has_room(FakeCall())


def test_checks_that_come_together_are_read_together_in_their_order(checking: Checking) -> None:
    calls = [
        checking.add(FakeCall(CheckOperationRequest(customer_id=name).SerializeToString())) for name in ("b", "a", "c")
    ]
    checking.groups.answer_group()
    assert checking.groups_read == [["b", "a", "c"]]
    assert [call.became for call in calls] == [[b"b"], [b"a"], [b"c"]]
    assert not checking.groups


def test_of_many_a_group_is_answered_in_each_turn_with_the_owners_in_turn(checking: Checking) -> None:
    busy = checking.fill(90, principal="sub:busy")
    quiet = checking.fill(5, principal="sub:quiet")
    checking.groups.answer_group()
    answered = [sum(bool(call.became) for call in calls) for calls in (busy, quiet)]
    assert answered == [LARGEST_GROUP - 5, 5]
    assert checking.groups
    assert checking.groups.count_answered() == LARGEST_GROUP
    late = checking.fill(1, principal="sub:quiet")
    checking.groups.answer_group()
    assert all(call.became for call in busy + late)
    assert not checking.groups


def test_expired_checks_are_dropped_unread(checking: Checking) -> None:
    expired, waiting = checking.fill(2)
    expired.deadline = NOW
    checking.groups.answer_group()
    assert (expired.became, waiting.became) == (["dropped"], [b"a"])
    assert checking.groups_read == [["a"]]


@pytest.mark.parametrize(
    ("message", "principal"),
    [(b"", None), (b"\x0a" + b"\x7f", "sub:a"), (LARGE, "sub:a")],
    ids=["an unknown caller", "malformed", "large"],
)
def test_checks_that_take_longer_are_handed_over_and_the_rest_is_answered(
    checking: Checking, message: bytes, principal: str | None
) -> None:
    before, handed, after = checking.fill(1)[0], FakeCall(message), FakeCall()
    handed.principal = principal
    checking.add(handed)
    checking.add(after)
    checking.groups.answer_group()
    assert checking.handed == [(handed, principal)]
    assert (before.became, handed.became, after.became) == ([b"a"], [], [b"a"])
    assert checking.groups.count_answered() == 3


def test_a_check_that_is_refused_does_not_disturb_its_group(checking: Checking) -> None:
    empty = CheckOperationRequest(minimum_revision=1).SerializeToString()
    calls = [checking.add(FakeCall(message)) for message in (b"", empty, b"")]
    checking.groups.answer_group()
    assert [call.became for call in calls] == [[b"a"], [REFUSED], [b"a"]]


def test_a_group_that_cannot_be_read_is_handed_over(checking: Checking) -> None:
    checking.fails = True
    calls = checking.fill(3, principal="sub:a")
    checking.groups.answer_group()
    assert checking.handed == [(call, "sub:a") for call in calls]
    assert [call.became for call in calls] == [[]] * 3


def test_probes_find_room_and_an_answer_whatever_waits(checking: Checking) -> None:
    checking.fill(2000)
    assert not checking.has_room(FakeCall())
    probe = FakeCall()
    checking.groups.add_probe(cast(UnaryCall, probe))
    checking.groups.answer_group()
    assert probe.became == [Reply(b"a")]
    assert checking.groups.count_answered() == LARGEST_GROUP
