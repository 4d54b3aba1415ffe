"""A long random life: the server and an independent model of the domain, driven side by side.

The model is written from the domain's words alone: it shares no code with the server.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from frostgate.v1.policy_pb2 import BillingMode, Decision, DecisionReason, FreezeScope, FreezeState, Operation
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from support.calls import Calls, check_of, refusal
from support.decision_table import CELLS
from support.runner.sizes import size
from support.server_process import ServerProcess
from support.statuses import error_info

STEPS = size(short=500, long=30_000)
STEPS_OF_A_LIFE = 100

NAMES = [f"c{number}" for number in range(6)]
SCOPES = ["ACCOUNT", "ACCOUNT_AND_RESOURCES"]
REASONS = ["unpaid", "fraud"]
FROZEN = {"ACCOUNT": "ACCOUNT_FROZEN", "ACCOUNT_AND_RESOURCES": "ACCOUNT_AND_RESOURCES_FROZEN"}

names = st.sampled_from(NAMES)
scopes = st.sampled_from(SCOPES)
reasons = st.sampled_from(REASONS)
request_numbers = st.none() | st.integers(0, 8)


@dataclass
class Model:
    """What a frostgate must be like."""

    states: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    events: list[tuple[int, str, str]] = field(default_factory=list)
    revision: int = 0
    answered: dict[tuple[str, int], tuple[Any, Any]] = field(default_factory=dict)

    def refused(self, action: str, name: str, scope: str) -> str | None:
        state = self.states.get(name)
        if action == "associate":
            return "CUSTOMER_ALREADY_ASSOCIATED" if state else None
        if state is None:
            return "CUSTOMER_NOT_FOUND"
        if action == "freeze":
            done = state == "ACCOUNT_AND_RESOURCES_FROZEN" or (state == "ACCOUNT_FROZEN" and scope == "ACCOUNT")
            return "ALREADY_FROZEN" if done else None
        if action == "unfreeze" and state == "NORMAL":
            return "NOT_FROZEN"
        if action == "unfreeze" and state != FROZEN[scope]:
            return "SCOPE_MISMATCH"
        return None

    def change(self, action: str, name: str, scope: str, reason: str) -> int:
        self.revision += 1
        told = {"associate": "ASSOCIATED", "disassociate": "DISASSOCIATED", "freeze": "FROZEN", "unfreeze": "UNFROZEN"}
        self.events.append((self.revision, name, told[action]))
        if action == "disassociate":
            del self.states[name]
        elif action == "unfreeze":
            self.states[name] = "NORMAL"
        elif action == "associate":
            self.states[name], self.reasons[name] = "ACCOUNT_FROZEN", "Frozen by default on association"
        else:
            self.states[name], self.reasons[name] = FROZEN[scope], reason
        return self.revision


class Life(RuleBasedStateMachine):
    """Each rule does the same to the server and to the model, and compares what both say."""

    server: ServerProcess
    steps = 0
    lives = 0

    def __init__(self) -> None:
        super().__init__()
        Life.lives += 1
        self.calls = Calls(self.server)
        self.model = Model()
        self.offset = 0

    def named(self, name: str) -> str:
        """Names of this life: lives share a server."""
        return f"life{self.life}-{name}"

    @initialize()
    def begin(self) -> None:
        self.life = Life.lives
        self.offset = self.calls.check(customer_id="nobody").revision

    def asked(self, action: str, name: str, scope: str, reason: str, number: int | None) -> dict[str, Any]:
        fields: dict[str, Any] = {"customer_id": self.named(name)}
        if action in {"freeze", "unfreeze"}:
            fields["scope"] = FreezeScope.Value(f"FREEZE_SCOPE_{scope}")
        if action != "associate":
            fields["reason"] = reason
        if number is not None:
            fields["request_id"] = str(UUID(int=self.life * 100 + number))
        return fields

    @rule(
        action=st.sampled_from(["associate", "freeze", "freeze", "unfreeze", "unfreeze", "disassociate"]),
        name=names,
        scope=scopes,
        reason=reasons,
        number=request_numbers,
    )
    def change(self, action: str, name: str, scope: str, reason: str, number: int | None) -> None:
        Life.steps += 1
        fields = self.asked(action, name, scope, reason, number)
        call = getattr(self.calls, action)
        earlier = self.model.answered.get((action, number)) if number is not None else None
        if earlier is not None:
            if earlier[0] == fields:
                assert call(**fields) == earlier[1]
            else:
                assert refusal(lambda: call(**fields)).reason == "REQUEST_ID_REUSED"
            return
        expected = self.model.refused(action, name, scope)
        if expected is not None:
            assert refusal(lambda: call(**fields)).reason == expected
            return
        answer = call(**fields)
        assert answer.revision == self.offset + self.model.change(action, name, scope, reason)
        if number is not None:
            self.model.answered[action, number] = (fields, answer)

    @rule(
        action=st.sampled_from(["freeze", "unfreeze"]),
        chosen=st.lists(names, min_size=1, unique=True),
        scope=scopes,
        reason=reasons,
    )
    def change_many(self, action: str, chosen: list[str], scope: str, reason: str) -> None:
        Life.steps += 1
        call = getattr(self.calls, f"batch_{action}")
        answer = call(
            customer_ids=map(self.named, chosen), scope=FreezeScope.Value(f"FREEZE_SCOPE_{scope}"), reason=reason
        )
        for name, result in zip(chosen, answer.results, strict=True):
            expected = self.model.refused(action, name, scope)
            if expected is None:
                assert result.customer.revision == self.offset + self.model.change(action, name, scope, reason)
            else:
                assert error_info(result.error).reason == expected
        assert answer.revision == self.offset + self.model.revision

    @rule(name=names, cell=st.sampled_from(sorted({place[1:] for place in CELLS})))
    def check(self, name: str, cell: tuple[str, str]) -> None:
        Life.steps += 1
        mode, operation = cell
        answer = self.calls.check(
            customer_id=self.named(name),
            billing_mode=BillingMode.Value(f"BILLING_MODE_{mode}"),
            operation=Operation.Value(f"OPERATION_{operation}"),
            minimum_revision=self.offset + self.model.revision,
        )
        self.assert_answered(name, mode, operation, answer)

    @rule(chosen=st.lists(names, min_size=1, max_size=20))
    def check_many(self, chosen: list[str]) -> None:
        Life.steps += 1
        batch = self.calls.batch_check([check_of(customer_id=self.named(name)) for name in chosen])
        for name, result in zip(chosen, batch.results, strict=True):
            self.assert_answered(name, "SPOT", "VIEW", result.response)

    def assert_answered(self, name: str, mode: str, operation: str, answer: Any) -> None:
        state = self.model.states.get(name)
        decision = Decision.Name(answer.decision).removeprefix("DECISION_")
        reason = DecisionReason.Name(answer.reason).removeprefix("DECISION_REASON_")
        if state is None:
            assert (decision, reason) == ("DENY", "CUSTOMER_UNKNOWN")
        else:
            assert (decision, reason) == CELLS[state, mode, operation][:2]
        assert answer.revision == self.offset + self.model.revision

    @rule(name=names)
    def get(self, name: str) -> None:
        Life.steps += 1
        state = self.model.states.get(name)
        if state is None:
            assert refusal(lambda: self.calls.get(self.named(name))).reason == "CUSTOMER_NOT_FOUND"
            return
        customer = self.calls.get(self.named(name)).customer
        assert FreezeState.Name(customer.freeze_state) == f"FREEZE_STATE_{state}"
        assert customer.freeze_reason == ("" if state == "NORMAL" else self.model.reasons[name])
        assert customer.HasField("retention_expire_time") == (state == "ACCOUNT_AND_RESOURCES_FROZEN")
        assert customer.fees_accrue == (state != "ACCOUNT_AND_RESOURCES_FROZEN")

    @precondition(lambda self: self.model.events)
    @rule(newest=st.integers(1, 5))
    def tell(self, newest: int) -> None:
        Life.steps += 1
        events = self.calls.events(page_size=newest, after_revision=self.offset).events
        told = [(event.revision - self.offset, event.customer_id, event.action) for event in events]
        actions = ["", "ASSOCIATED", "FROZEN", "UNFROZEN", "DISASSOCIATED"]
        assert [(revision, name, actions[action]) for revision, name, action in told] == [
            (revision, self.named(name), action) for revision, name, action in self.model.events[: -newest - 1 : -1]
        ]


@pytest.mark.long
def test_server_and_model_agree_through_a_long_life(server: ServerProcess) -> None:
    Life.server = server
    while Life.steps < STEPS:
        run_state_machine_as_test(
            Life,
            settings=settings(
                max_examples=(STEPS - Life.steps) // STEPS_OF_A_LIFE + 5,
                stateful_step_count=STEPS_OF_A_LIFE,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    assert Life.steps >= STEPS
