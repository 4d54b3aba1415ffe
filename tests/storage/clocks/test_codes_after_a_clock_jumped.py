"""Codes and their limits on a clock that was wrong and is put right: no window is longer than it should be."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from frostgate_server.domain.errors import FrostgateError
from frostgate_server.domain.verification_errors import VerificationRateLimited
from frostgate_server.services.partner_service import disable_codes
from frostgate_server.storage.interface import Transaction
from storage.clocks.clocked_services import DAY, HOUR, JUMPS, MINUTE, NOW, PURPOSE, SECOND, ClockedServices

LIFETIME = 5 * MINUTE
AHEAD_AND_BEHIND = [*JUMPS, -30 * MINUTE, -365 * DAY]


def send_five(services: ClockedServices) -> str:
    """Five codes may be sent in an hour. Gives the outcome of one more."""
    outcomes = [services.send_code() for _ in range(6)]
    assert outcomes[:5] == ["OK"] * 5
    return outcomes[5]


def fail_ten(services: ClockedServices) -> str:
    """Ten tries may fail in an hour. Gives the outcome of one more."""
    outcomes = [services.unfreeze("wrong") for _ in range(11)]
    assert outcomes[:10] == ["VERIFICATION_CODE_INVALID"] * 10
    return outcomes[10]


def ask_for_twenty(services: ClockedServices) -> str:
    """Twenty codes may be asked for in an hour, sent or not. Gives the outcome of one more."""
    services.mail_server_refuses = True
    outcomes = [services.send_code() for _ in range(21)]
    services.mail_server_refuses = False
    assert outcomes[:20] == ["VERIFICATION_CODE_NOT_SENT"] * 20
    return outcomes[20]


LIMITS: list[tuple[Callable[[ClockedServices], str], Callable[[ClockedServices], str]]] = [
    (send_five, lambda services: services.send_code()),
    (fail_ten, lambda services: services.unfreeze("wrong")),
    (ask_for_twenty, lambda services: services.send_code()),
]


@pytest.mark.parametrize("jump", AHEAD_AND_BEHIND, ids=str)
@pytest.mark.parametrize(("reach", "more"), LIMITS, ids=["sent", "failed", "asked for"])
def test_a_partner_is_locked_out_for_an_hour_at_most(
    services: ClockedServices,
    reach: Callable[[ClockedServices], str],
    more: Callable[[ClockedServices], str],
    jump: timedelta,
) -> None:
    services.now = NOW + jump
    assert reach(services) == "VERIFICATION_RATE_LIMITED"
    services.now = NOW
    first = more(services)
    if jump > HOUR:
        assert first != "VERIFICATION_RATE_LIMITED"
    services.now = NOW + HOUR
    assert more(services) != "VERIFICATION_RATE_LIMITED"


@pytest.mark.parametrize("jump", [SECOND, 30 * MINUTE, HOUR], ids=str)
def test_a_refusal_names_at_most_an_hour_after_the_clock_was_put_back(
    services: ClockedServices, jump: timedelta
) -> None:
    services.now = NOW + jump
    assert send_five(services) == "VERIFICATION_RATE_LIMITED"
    services.now = NOW
    with pytest.raises(VerificationRateLimited) as refused:
        raise_refusal(services)
    assert refused.value.retry_after_seconds == 3600
    services.now = NOW + 59 * MINUTE
    with pytest.raises(VerificationRateLimited) as refused:
        raise_refusal(services)
    assert refused.value.retry_after_seconds == 60


def raise_refusal(services: ClockedServices) -> None:
    services.partners.send_code(services.caller, PURPOSE)


@pytest.mark.parametrize("jump", [HOUR + SECOND, 365 * DAY], ids=str)
def test_counts_of_a_clock_that_was_ahead_do_not_count_again_when_their_time_comes(
    services: ClockedServices, jump: timedelta
) -> None:
    services.now = NOW + jump
    send_five(services)
    fail_ten(services)
    services.now = NOW
    services.send_code()
    services.unfreeze("wrong")
    services.now = NOW + jump + MINUTE
    assert services.send_code() == "OK"
    assert services.unfreeze("wrong") == "VERIFICATION_CODE_INVALID"


@pytest.mark.parametrize("jump", AHEAD_AND_BEHIND, ids=str)
def test_a_code_is_valid_for_its_lifetime_at_most(services: ClockedServices, jump: timedelta) -> None:
    services.now = NOW + jump
    assert services.send_code() == "OK"
    code = services.mailed[-1]
    moments = {NOW, NOW + MINUTE, NOW + LIFETIME, NOW + jump - LIFETIME, NOW + jump + LIFETIME - SECOND}
    valid = [moment for moment in sorted(moments) if is_valid_at(services, code, moment)]
    assert not valid or valid[-1] - valid[0] < LIFETIME
    if jump >= LIFETIME or jump <= -LIFETIME:
        assert NOW not in valid


def is_valid_at(services: ClockedServices, code: str, moment: datetime) -> bool:
    """Whether the code would be taken. It is not spent, and no try is counted."""
    services.now = moment

    def undone(transaction: Transaction) -> None:
        attempt = services.verifier.begin_attempt(transaction, PURPOSE, code)
        raise Undone(attempt.sent is not None)

    try:
        services.store.run_transaction(undone)
    except Undone as taken:
        return taken.taken
    except FrostgateError as error:
        raise AssertionError(error) from error
    raise AssertionError("not undone")


class Undone(Exception):
    """Undoes a transaction."""

    def __init__(self, taken: bool) -> None:
        super().__init__(taken)
        self.taken = taken


@pytest.mark.parametrize("reach", [send_five, fail_ten, ask_for_twenty])
def test_disable_codes_ends_a_lockout(services: ClockedServices, reach: Callable[[ClockedServices], str]) -> None:
    assert reach(services) == "VERIFICATION_RATE_LIMITED"
    disable_codes(services.store, "p", services.clock)
    services.enable_codes()
    assert services.send_code() == "OK"
    assert services.unfreeze(services.mailed[-1]) == "OK"
