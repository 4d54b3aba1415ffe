"""New credentials are verified in threads of their own: a flood of bad ones takes no thread that checks need."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from frostgate.v1.customer_freeze_service_pb2 import ListFreezeEventsRequest
from frostgate_server.auth.credential import Credential
from frostgate_server.auth.jwt_verifier import JwtVerifier
from frostgate_server.domain.caller import Caller
from frostgate_server.rpc.loop import dispatch
from frostgate_server.rpc.method_handlers import MethodHandler, UnaryCall
from frostgate_server.rpc.methods import METHODS
from frostgate_server.rpc.policy_decision_servicer import PolicyDecisionServicer
from frostgate_server.services.customer_queries import CustomerQueries
from support.access import Access
from support.calls import check_of, outcome_of
from support.credentials import bearer, signing_key, token
from support.every_call import ADMITTED, REFLECTION, outcome
from support.processes import PATIENCE
from support.server_process import Connection
from support.worker_in_process import worker_in_process
from support.worker_processes import eventually

MANY = 60
ROOM = 10
"""Calls that may wait for a verification."""
LISTS = 5
"""Listings that may wait."""
VERIFIERS = 2
"""The threads for verifications."""


def pool_of_this_thread() -> str:
    """The name of its pool, or `loop`."""
    return threading.current_thread().name.partition("_")[0]


class Observed:
    """What the server did in which threads. Verifications stop until they may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may = Event()
        self.may.set()
        self.verified_in: list[str] = []
        self.identified_in: list[str] = []
        self.ran_in: list[tuple[str, str]] = []
        self.checked_in: set[str] = set()
        verify, identify = JwtVerifier._verify_signature, MethodHandler.identify
        run, check_group = MethodHandler.run, PolicyDecisionServicer.check_group

        def noted_verify(verifier: JwtVerifier, text: str) -> Credential:
            self.verified_in.append(pool_of_this_thread())
            assert self.may.wait(PATIENCE)
            return verify(verifier, text)

        def noted_identify(handler: MethodHandler, call: UnaryCall) -> Caller | None:
            self.identified_in.append(pool_of_this_thread())
            return identify(handler, call)

        def noted_run(handler: MethodHandler, *arguments: Any) -> None:
            self.ran_in.append((handler.name, pool_of_this_thread()))
            run(handler, *arguments)

        def noted_checks(servicer: PolicyDecisionServicer, requests: Any) -> Any:
            self.checked_in.add(pool_of_this_thread())
            return check_group(servicer, requests)

        monkeypatch.setattr(JwtVerifier, "_verify_signature", noted_verify)
        monkeypatch.setattr(MethodHandler, "identify", noted_identify)
        monkeypatch.setattr(MethodHandler, "run", noted_run)
        monkeypatch.setattr(PolicyDecisionServicer, "check_group", noted_checks)


class Flooded:
    """A server in this process with little room for verifications, and its callers."""

    def __init__(self, directory: Path, observed: Observed, opened: ExitStack) -> None:
        self.access = Access(directory)
        self.seen = observed
        self._opened = opened
        address, self._mtls_address = opened.enter_context(
            worker_in_process(directory / "frostgate.db", self.access.config)
        )
        opened.callback(observed.may.set)
        self.connection = opened.enter_context(Connection(address, self.access.authority.channel()))

    def certified(self, **names: Any) -> Connection:
        """A connection with a certificate."""
        return self._opened.enter_context(Connection(self._mtls_address, self.access.certificate(**names)))

    def check(self, metadata: Any, connection: Connection | None = None, **fields: Any) -> Any:
        """Begins a check."""
        return (connection or self.connection).decisions.CheckOperation.future(
            check_of(**{"customer_id": "a", **fields}), metadata=metadata, timeout=PATIENCE
        )

    def listing(self, metadata: Any) -> Any:
        """Begins a listing."""
        return self.connection.freezes.ListFreezeEvents.future(
            ListFreezeEventsRequest(), metadata=metadata, timeout=PATIENCE
        )

    def flood(self, method: Callable[[Any], Any] | None = None) -> list[Any]:
        """Many calls, each with a bad token of its own. Some wait for their verification, all others are refused."""
        self.seen.may.clear()
        header, payload, _ = token("operator", self.access.key).split(".")
        calls = [(method or self.check)(bearer(f"{header}.{payload}.{number}")) for number in range(MANY)]
        eventually(lambda: sum(call.done() for call in calls) == MANY - ROOM, "refused")
        return calls


@pytest.fixture
def flooded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flooded]:
    """Starts the server: about a second."""
    monkeypatch.setitem(dispatch._MOST_WAITING, "authentication", ROOM)
    monkeypatch.setitem(dispatch._MOST_WAITING, "lists", LISTS)
    with ExitStack() as opened:
        yield Flooded(tmp_path, Observed(monkeypatch), opened)


def test_known_tokens_and_certificates_pass_by_a_flood_of_bad_ones(flooded: Flooded) -> None:
    good = flooded.access.token("operator")
    assert flooded.check(good).result().message
    calls = flooded.flood()
    certified = flooded.certified(uris=["spiffe://test/operator"])
    flooded.seen.checked_in.clear()
    for _ in range(20):
        assert flooded.check(good).result().message
        for metadata in (None, bearer("never.verified.here")):
            assert flooded.check(metadata, certified).result().message
    assert flooded.seen.checked_in == {"loop"}
    for method in METHODS:
        assert outcome(flooded.connection, method, good) == outcome(certified, method) == ADMITTED
    assert sum(call.done() for call in calls) == MANY - ROOM
    flooded.seen.may.set()
    outcomes = [outcome_of(call) for call in calls]
    assert (outcomes.count("UNAUTHENTICATED"), outcomes.count("OVERLOADED")) == (ROOM, MANY - ROOM)
    assert set(flooded.seen.verified_in) == {"authentication"}


def test_checks_of_known_callers_that_are_handed_over_find_their_threads_free(flooded: Flooded) -> None:
    good = flooded.access.token("operator")
    assert flooded.check(good).result().message
    flooded.flood()
    flooded.seen.checked_in.clear()
    for _ in range(20):
        too_large_for_the_loop = flooded.check(good, customer_id="a" * 2000)
        assert outcome_of(too_large_for_the_loop) == "INVALID_FIELD"
    assert flooded.seen.ran_in[-20:] == [("CheckOperation", "checks")] * 20


def test_calls_that_wait_for_a_verification_take_no_room_of_known_callers(flooded: Flooded) -> None:
    good = flooded.access.token("operator")
    assert outcome_of(flooded.listing(good)) == "OK"
    calls = flooded.flood(flooded.listing)
    for _ in range(LISTS + 1):
        assert outcome_of(flooded.listing(good)) == "OK"
    flooded.seen.may.set()
    outcomes = [outcome_of(call) for call in calls]
    assert (outcomes.count("UNAUTHENTICATED"), outcomes.count("OVERLOADED")) == (ROOM, MANY - ROOM)


def test_verified_calls_wait_for_their_pool_only_where_it_has_room(
    flooded: Flooded, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_list, list_events = Event(), CustomerQueries.list_events

    def blocked(*arguments: Any) -> Any:
        assert may_list.wait(PATIENCE)
        return list_events(*arguments)

    monkeypatch.setattr(CustomerQueries, "list_events", blocked)
    calls = [flooded.listing(flooded.access.token("operator", jti=str(number))) for number in range(ROOM)]
    eventually(lambda: sum(call.done() for call in calls) == ROOM - LISTS, "refused")
    # Nor do they take room of calls that are to be verified.
    flooded.seen.may.clear()
    verified = len(flooded.seen.verified_in)
    others = [flooded.check(flooded.access.token("auditor", jti=str(number))) for number in range(ROOM)]
    eventually(lambda: len(flooded.seen.verified_in) == verified + VERIFIERS, "being verified")
    flooded.seen.may.set()
    assert [outcome_of(call) for call in others] == ["OK"] * ROOM
    may_list.set()
    outcomes = [outcome_of(call) for call in calls]
    assert (outcomes.count("OK"), outcomes.count("OVERLOADED")) == (LISTS, ROOM - LISTS)


def test_good_tokens_that_nobody_knows_wait_their_turn_and_then_are_answered_in_the_pool(flooded: Flooded) -> None:
    flooded.seen.may.clear()
    calls = [flooded.check(flooded.access.token("operator", jti=str(number))) for number in range(ROOM)]
    eventually(lambda: flooded.seen.verified_in, "being verified")
    assert not any(call.done() for call in calls)
    flooded.seen.may.set()
    assert [outcome_of(call) for call in calls] == ["OK"] * ROOM
    assert flooded.seen.verified_in == ["authentication"] * ROOM
    assert flooded.seen.checked_in == {"checks"}


def test_a_full_queue_takes_new_tokens_again_once_the_flood_is_over(flooded: Flooded) -> None:
    calls = flooded.flood()
    new = flooded.access.token("operator")
    assert outcome_of(flooded.check(new)) == "OVERLOADED"
    flooded.seen.may.set()
    assert "OK" not in [outcome_of(call) for call in calls]
    assert outcome_of(flooded.check(new)) == "OK"


def test_a_known_token_is_not_verified_again(flooded: Flooded) -> None:
    good = flooded.access.token("operator")
    for _ in range(10):
        assert flooded.check(good).result().message
    assert flooded.seen.verified_in == flooded.seen.identified_in == ["authentication"]


@pytest.mark.parametrize("method", [name for name in METHODS if name != REFLECTION])
def test_a_new_token_is_verified_before_its_call_goes_to_the_pool_of_the_method(flooded: Flooded, method: str) -> None:
    good = flooded.access.token("operator")
    assert outcome(flooded.connection, method, good) == ADMITTED
    assert flooded.seen.identified_in == ["authentication"]
    assert flooded.seen.ran_in == [(method, METHODS[method].pool)]


STRANGERS: dict[str, tuple[str, Any]] = {
    "no token": ("UNAUTHENTICATED", lambda _: None),
    "no bearer token": ("UNAUTHENTICATED", lambda _: (("authorization", "Basic YTpi"),)),
    "a token of another key": ("UNAUTHENTICATED", lambda access: access.token("operator", key=signing_key("other"))),
    "a token of nobody": ("PERMISSION_DENIED", lambda access: access.token("nobody")),
    "a token of a role that may not": ("PERMISSION_DENIED", lambda access: access.token("partner-center")),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_calls_of_strangers_are_refused_where_credentials_are_verified(flooded: Flooded, name: str) -> None:
    expected, metadata = STRANGERS[name]
    for _ in range(2):
        assert outcome_of(flooded.check(metadata(flooded.access))) == expected
    assert flooded.seen.identified_in == ["authentication"] * 2
    assert (flooded.seen.ran_in, flooded.seen.checked_in) == ([], set())
    flooded.flood()
    assert outcome_of(flooded.check(metadata(flooded.access))) == "OVERLOADED"


@pytest.mark.parametrize(
    ("names", "expected"),
    [({"name": "operator"}, "UNAUTHENTICATED"), ({"uris": ["spiffe://test/nobody"]}, "PERMISSION_DENIED")],
    ids=["without a name", "of nobody"],
)
def test_calls_with_certificates_of_strangers_are_refused_there_too(
    flooded: Flooded, names: Any, expected: str
) -> None:
    assert outcome_of(flooded.check(None, flooded.certified(**names))) == expected
    assert flooded.seen.identified_in == ["authentication"]
    assert (flooded.seen.ran_in, flooded.seen.checked_in) == ([], set())
