"""New tokens are verified in threads of their own: a flood of bad ones takes no thread that checks need."""

import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any, cast

import grpc
import pytest
from frostgate.v1.policy_decision_service_pb2 import DESCRIPTOR as DECISIONS
from frostgate.v1.policy_decision_service_pb2 import CheckOperationResponse
from frostgate_server.auth.authenticator import CredentialAuthenticator
from frostgate_server.auth.credential import Credential
from frostgate_server.auth.credential_files import CredentialFiles
from frostgate_server.auth.jwt_verifier import JwtVerifier
from frostgate_server.config.loading import configure
from frostgate_server.domain.caller import Caller
from frostgate_server.rpc.method_handlers import HandlerContext, add_service
from frostgate_server.rpc.thread_pools import ThreadPool, ThreadPools, open_thread_pools, set_preverification
from frostgate_server.rpc.tls import server_credentials
from frostgate_server.rpc.token_preverification import TokenPreverifier
from frostgate_server.services.refusal_audit import RefusalAudit
from support.access import Access
from support.calls import check_of, outcome_of
from support.credentials import bearer, token
from support.processes import PATIENCE
from support.server_process import Connection
from support.subjects import NoRefusals
from support.worker_processes import eventually

MANY = 60
ROOM = 10


class Checks:
    """Answers with its caller, and notes in which threads."""

    def __init__(self) -> None:
        self.threads: set[str] = set()

    def CheckOperation(self, caller: Caller, _: object) -> CheckOperationResponse:  # noqa: N802
        self.threads.add(lane_of_this_thread())
        return CheckOperationResponse(message=caller.principal)

    def __getattr__(self, method: str) -> Any:
        return self.CheckOperation


def lane_of_this_thread() -> str:
    return threading.current_thread().name.rpartition("_")[0]


class Flooded:
    """A server in this process, whose verifications stop until they may go on."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.access = Access(directory)
        self.checks = Checks()
        self.may = Event()
        self.may.set()
        self.verified_in: list[str] = []
        verify = JwtVerifier._verify_signature

        def noted(tokens: JwtVerifier, text: str) -> Credential:
            self.verified_in.append(lane_of_this_thread())
            assert self.may.wait(PATIENCE)
            return verify(tokens, text)

        monkeypatch.setattr(JwtVerifier, "_verify_signature", noted)
        self.pools = self._pools()
        settings = configure({}, {}, self.access.config).settings
        files = CredentialFiles(settings, self.access.config)
        identities = CredentialAuthenticator(settings, files)
        set_preverification(self.pools, TokenPreverifier(identities, self.pools["authentication"]))
        self.server = grpc.server(self.pools["health"])
        service = DECISIONS.services_by_name["PolicyDecisionService"]
        shared = HandlerContext(1, self.pools, identities, cast(RefusalAudit, NoRefusals()))
        add_service(self.server, service, self.checks, shared)
        assert files.certificate
        port = self.server.add_secure_port("localhost:0", server_credentials(files.certificate, None))
        mtls_credentials = server_credentials(files.certificate, files.authorities)
        self.mtls_port = self.server.add_secure_port("localhost:0", mtls_credentials)
        self.server.start()
        self.connection = Connection(f"localhost:{port}", self.access.authority.channel())

    @staticmethod
    def _pools() -> ThreadPools:
        """One thread for checks, one for identities, and little room."""
        pools = open_thread_pools(1)
        pools["authentication"].shutdown()
        pools["authentication"] = ThreadPool("authentication", 1, most_waiting=ROOM)
        return pools

    def flood(self) -> list[Any]:
        """Many calls, each with a bad token of its own. One is being verified, and all others wait."""
        self.may.clear()
        before = len(self.verified_in)
        header, payload, _ = token("operator", self.access.key).split(".")
        calls = [self.check(bearer(f"{header}.{payload}.{number}"), self.connection) for number in range(MANY)]
        eventually(lambda: self.pools["authentication"]._work_queue.qsize() == MANY - 1, "queued")
        assert len(self.verified_in) == before + 1
        return calls

    @staticmethod
    def check(metadata: Any, connection: Connection) -> Any:
        return connection.decisions.CheckOperation.future(
            check_of(customer_id="a"), metadata=metadata, timeout=PATIENCE
        )

    def stop(self) -> None:
        self.may.set()
        self.connection.channel.close()
        assert self.server.stop(None).wait(PATIENCE)
        for pool in self.pools.values():
            pool.shutdown()


@pytest.fixture
def flooded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flooded]:
    server = Flooded(tmp_path, monkeypatch)
    yield server
    server.stop()


def test_known_tokens_and_certificates_pass_by_a_flood_of_bad_ones(flooded: Flooded) -> None:
    good = flooded.access.token("operator")
    assert flooded.check(good, flooded.connection).result().message == "sub:operator"
    calls = flooded.flood()
    shown = flooded.access.certificate(uris=["spiffe://test/operator"])
    with Connection(f"localhost:{flooded.mtls_port}", shown) as certified:
        for _ in range(20):
            assert flooded.check(good, flooded.connection).result().message == "sub:operator"
            for metadata in (None, bearer("never.verified.here")):
                assert flooded.check(metadata, certified).result().message == "spiffe://test/operator"
    assert not any(call.done() for call in calls)
    flooded.may.set()
    outcomes = [outcome_of(call) for call in calls]
    # The last that wait find room, and the first was being verified already.
    assert (outcomes.count("UNAUTHENTICATED"), outcomes.count("OVERLOADED")) == (ROOM + 2, MANY - ROOM - 2)
    assert set(flooded.verified_in) == {"authentication"}
    assert flooded.checks.threads == {"check"}


def test_a_good_token_that_nobody_knows_waits_its_turn_and_then_is_answered_in_its_lane(flooded: Flooded) -> None:
    flooded.may.clear()
    calls = [
        flooded.check(flooded.access.token("operator", jti=str(number)), flooded.connection) for number in range(ROOM)
    ]
    eventually(lambda: flooded.pools["authentication"]._work_queue.qsize() == ROOM - 1, "queued")
    flooded.may.set()
    assert {call.result().message for call in calls} == {"sub:operator"}
    assert flooded.verified_in == ["authentication"] * ROOM
    assert flooded.checks.threads == {"check"}


def test_a_known_token_is_not_verified_again(flooded: Flooded) -> None:
    good = flooded.access.token("operator")
    for _ in range(10):
        assert flooded.check(good, flooded.connection).result().message == "sub:operator"
    assert flooded.verified_in == ["authentication"]
