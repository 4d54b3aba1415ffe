"""A low limit of open files: connections beyond it are refused, those inside are served with all that they need."""

import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from frostgate.v1.customer_freeze_service_pb2 import AssociateCustomerRequest
from frostgate.v1.policy_decision_service_pb2 import BatchCheckOperationsRequest
from support.attacked import A_CHECK, BATCH_CHECK, Attacked, Kind, attacked
from support.raw_http2 import END_STREAM, HEADERS, RawConnection

FILES = 300
WANTED = 200

ASSOCIATE = "/frostgate.v1.CustomerFreezeService/AssociateCustomer"


@pytest.fixture
def short_of_files(tmp_path: Path, kind: Kind) -> Iterator[Attacked]:
    """A server that may open few files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    try:
        with ExitStack() as started:
            target = started.enter_context(attacked(tmp_path, kind))
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            yield target
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_ok(connection: RawConnection, stream: int, frames: bytes) -> bool:
    """Whether a call on the connection is answered with a message."""
    connection.send(frames)
    (first,) = connection.frames_until(1, lambda received: received.stream == stream and received.kind == HEADERS)
    return not first.flags & END_STREAM


def test_connections_beyond_the_open_files_are_refused_and_the_others_served(short_of_files: Attacked) -> None:
    target = short_of_files
    with ExitStack() as opened:
        served = []
        for _ in range(WANTED):
            try:
                connection = opened.enter_context(target.raw())
                connection.begin()
                served.append(connection)
            except OSError:
                continue
        assert 0 < len(served) < FILES // 2
        batch = BatchCheckOperationsRequest(checks=[A_CHECK] * 3).SerializeToString()
        for number, connection in enumerate(served):
            change = AssociateCustomerRequest(customer_id=f"c-{number}", partner_id="partner")
            assert is_ok(connection, 1, target.call(1, BATCH_CHECK, batch))
            assert is_ok(connection, 3, target.call(3, ASSOCIATE, change.SerializeToString()))
            assert is_ok(connection, 5, target.call(5, "/grpc.health.v1.Health/Check", b""))
        print("served", len(served))
    assert "max_connections is lowered" in target.server.log.read_text()
