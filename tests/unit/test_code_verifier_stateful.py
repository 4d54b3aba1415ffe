"""A long random life of verification codes, beside a model of what they may do, on a clock that the test moves.

The model is written from the rules alone: it shares no code with the server.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.enums import FreezeScope, VerificationAction
from frostgate_server.domain.errors import FrostgateError
from frostgate_server.domain.partner import PartnerUpdate
from frostgate_server.domain.verification_code import CodeKey, CodeLimits, Purpose
from frostgate_server.services.code_verifier import CodeVerifier
from frostgate_server.services.commands import AssociateCommand, FreezeCommand, UnfreezeCommand
from frostgate_server.services.customer_service import CustomerService
from frostgate_server.services.partner_service import PartnerService
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.opening import open_store
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from support.runner.sizes import size
from support.subjects import NoRefusals

NAMES = ["c0", "c1"]
LIMITS = CodeLimits(tries=2, failures=4, sendings=8)
"""Smaller than they are, so that a life runs into them."""
HOUR = timedelta(hours=1)
ACTIONS = {"freeze": VerificationAction.FREEZE, "unfreeze": VerificationAction.UNFREEZE}

names = st.sampled_from(NAMES)
actions = st.sampled_from(sorted(ACTIONS))
scopes = st.sampled_from(list(FreezeScope))
times = st.sampled_from([timedelta(seconds=1), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=31)])


@dataclass
class Model:
    """What is known of the one partner: its customers' frozen scopes, its last code, and what counts against it."""

    frozen: dict[str, FreezeScope | None] = field(default_factory=lambda: dict.fromkeys(NAMES, FreezeScope.ACCOUNT))
    code: tuple[str, Any, datetime] | None = None
    tries: int = 0
    failures: list[datetime] = field(default_factory=list)
    sendings: list[datetime] = field(default_factory=list)

    def refused(self, action: str, name: str, scope: FreezeScope) -> str | None:
        frozen = self.frozen[name]
        if action == "freeze":
            return "ALREADY_FROZEN" if frozen is not None and scope <= frozen else None
        if frozen is None:
            return "NOT_FROZEN"
        return None if scope == frozen else "SCOPE_MISMATCH"

    def tried(self, purpose: Any, code: str, now: datetime) -> str | None:
        """Why a code is not taken; it is spent if it is."""
        if not code:
            return "VERIFICATION_CODE_REQUIRED"
        if sum(now - HOUR < time for time in self.failures) >= LIMITS.failures:
            return "VERIFICATION_RATE_LIMITED"
        if self.code is not None and now < self.code[2] and self.tries < LIMITS.tries:
            self.tries += 1
            if self.code[:2] == (code, purpose):
                self.code = None
                return None
        self.failures.append(now)
        return "VERIFICATION_CODE_INVALID"


class Life(RuleBasedStateMachine):
    """Anything may happen in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.mailed: list[str] = []
        self.model = Model()
        self.directory = TemporaryDirectory()
        self.path = Path(self.directory.name) / "frostgate.db"
        self.store = open_store(self.path, create=True)
        gate = CodeVerifier(self.store, CodeKey(b"k" * 32), LIMITS, self.clock)
        self.freezes = CustomerService(self.store, gate, NoRefusals(), timedelta(days=15), self.clock)
        self.partners = PartnerService(self.store, gate, self, self.clock)
        self.caller = Caller(waits=lambda: True)
        for name in NAMES:
            self.freezes.change_customer(self.caller, AssociateCommand(customer_ids=(name,), partner_id="p")).result()
        self.partners.update_partner(self.caller, PartnerUpdate("p", True, "a@example.org"), "").result()

    def clock(self) -> datetime:
        return self.now

    def send(self, _: str, code: str, __: Purpose, ___: datetime) -> None:
        """Mails a code, as a Mailer."""
        self.mailed.append(code)

    def teardown(self) -> None:
        with closing(self.store):
            assert self.store.get_revision() >= len(NAMES)
        verify(self.path)
        self.directory.cleanup()

    @rule(step=times)
    def time_goes_by(self, step: timedelta) -> None:
        self.now += step

    @rule(name=names, choice=st.integers(0, 1))
    def a_code_is_sent(self, name: str, choice: int) -> None:
        action, scope = self._possible(name, choice)
        purpose = Purpose.of("p", ACTIONS[action], [name], scope)
        mailed = len(self.mailed)
        refused = outcome(lambda: self.partners.send_code(self.caller, purpose))
        if sum(self.now - HOUR < time for time in self.model.sendings) >= LIMITS.sendings:
            assert (refused, len(self.mailed)) == ("VERIFICATION_RATE_LIMITED", mailed)
            return
        assert (refused, len(self.mailed)) == (None, mailed + 1)
        self.model.sendings.append(self.now)
        self.model.code = self.mailed[-1], (action, name, scope), self.now + LIMITS.lifetime
        self.model.tries = 0

    @rule(action=actions, name=names, scope=scopes, number=st.integers(0, 99))
    def any_change_is_asked_for_with_any_code(self, action: str, name: str, scope: FreezeScope, number: int) -> None:
        self._change(action, name, scope, self.mailed[number % len(self.mailed)] if self.mailed else "none yet")

    @rule(name=names, choice=st.integers(0, 1), code=st.sampled_from(["", "wrong", "wrong", "last", "last"]))
    def a_change_is_asked_for_that_could_be_made(self, name: str, choice: int, code: str) -> None:
        last = self.mailed[-1] if self.mailed else "none yet"
        action, scope = self._possible(name, choice)
        self._change(action, name, scope, last if code == "last" else code)

    @rule(code=st.sampled_from(["wrong", "right", "right"]))
    def the_change_is_asked_for_that_the_code_is_for(self, code: str) -> None:
        if self.model.code is not None:
            right, (action, name, scope), _ = self.model.code
            self._change(action, name, scope, right if code == "right" else code)

    def _possible(self, name: str, choice: int) -> tuple[str, FreezeScope]:
        """A change that the customer's state permits."""
        possible = [
            (action, scope)
            for action in sorted(ACTIONS)
            for scope in FreezeScope
            if self.model.refused(action, name, scope) is None
        ]
        return possible[choice % len(possible)]

    def _change(self, action: str, name: str, scope: FreezeScope, code: str) -> None:
        kind = FreezeCommand if action == "freeze" else UnfreezeCommand
        command = kind(customer_ids=(name,), scope=scope, reason="reason", verification_code=code)
        expected = self.model.refused(action, name, scope) or self.model.tried((action, name, scope), code, self.now)
        assert outcome(self.freezes.change_customer(self.caller, command).result) == expected
        if expected is None:
            self.model.frozen[name] = scope if action == "freeze" else None


def outcome(call: Callable[[], object]) -> str | None:
    """The reason for which a call is refused."""
    try:
        call()
    except FrostgateError as error:
        return error.reason
    return None


@pytest.mark.long
def test_a_long_life_of_codes_is_like_its_model() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=size(short=10, long=300),
            stateful_step_count=60,
            suppress_health_check=list(HealthCheck),
        ),
    )
