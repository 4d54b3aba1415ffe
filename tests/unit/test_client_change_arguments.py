"""What the client sends for `expected_revision` and `validate_only`, and what it raises for another revision."""

import copy
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, cast

import frostgate
import grpc
import pytest
from frostgate import FreezeScope
from frostgate.requests import customers
from frostgate.requests.call import Call
from frostgate.retry_policy import Attempts
from frostgate.v1 import customer_freeze_service_pb2 as freezes_pb
from frostgate.v1.customer_freeze_service_pb2_grpc import add_CustomerFreezeServiceServicer_to_server
from frostgate.v1.policy_pb2 import FREEZE_SCOPE_ACCOUNT
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status.rpc_status import to_status
from support.both_clients import KINDS, open_client
from support.processes import PATIENCE

CODE = grpc.StatusCode.ABORTED
MISMATCH = {"customer_id": "c-1", "expected_revision": "7", "revision": "1000000000009"}
FREEZE: dict[str, Any] = {"scope": FreezeScope.ACCOUNT, "reason": "unpaid"}
SINGLE: dict[str, Callable[..., Any]] = {
    "disassociate": lambda client, **more: client.disassociate_customer(customer_id="c-1", reason="left", **more),
    "freeze": lambda client, **more: client.freeze_customer(customer_id="c-1", **FREEZE, **more),
    "unfreeze": lambda client, **more: client.unfreeze_customer(customer_id="c-1", **FREEZE, **more),
}
BATCH: dict[str, Callable[..., Any]] = {
    "batch freeze": lambda client, **more: client.batch_freeze_customers(["c-1", "c-2"], **FREEZE, **more),
    "batch unfreeze": lambda client, **more: client.batch_unfreeze_customers(["c-1", "c-2"], **FREEZE, **more),
}
VALIDATING = {"freeze": SINGLE["freeze"], "unfreeze": SINGLE["unfreeze"], **BATCH}


def aborted(reason: str, metadata: dict[str, str]) -> Status:
    status = Status(code=CODE.value[0], message="the revision is another one")
    status.details.add().Pack(ErrorInfo(domain="frostgate", reason=reason, metadata=metadata))
    return status


class Recorder:
    """A servicer that keeps the requests, and ends each call with `status`."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.status = aborted("REVISION_MISMATCH", MISMATCH)

    def __getattr__(self, _: str) -> Callable[[Any, grpc.ServicerContext], NoReturn]:
        return self._end

    def _end(self, request: Any, context: grpc.ServicerContext) -> NoReturn:
        self.requests.append(request)
        context.abort_with_status(to_status(self.status))


@pytest.fixture
def recorder() -> Recorder:
    """The servicer of a server in this process."""
    return Recorder()


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, recorder: Recorder) -> Iterator[Any]:
    """Either client, with the recorder's server."""
    server = grpc.server(ThreadPoolExecutor(2))
    add_CustomerFreezeServiceServicer_to_server(cast(Any, recorder), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with open_client(request.param, f"127.0.0.1:{port}", timeout=PATIENCE) as opened:
            yield opened
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize("change", SINGLE.values(), ids=list(SINGLE))
def test_another_revision_is_raised_at_once_with_its_values(
    client: Any, recorder: Recorder, change: Callable[..., Any]
) -> None:
    with pytest.raises(frostgate.RevisionMismatch) as raised:
        change(client, expected_revision=7)
    error = raised.value
    assert (error.customer_id, error.expected_revision, error.revision) == ("c-1", 7, 1_000_000_000_009)
    assert (error.code, error.reason, error.metadata) == (CODE, "REVISION_MISMATCH", MISMATCH)
    (sent,) = recorder.requests
    assert (sent.expected_revision, len(sent.request_id)) == (7, 36)


@pytest.mark.parametrize("reason", ["", "SOMETHING_NEW"])
def test_an_aborted_call_for_another_reason_is_no_mismatch_and_not_retried(
    client: Any, recorder: Recorder, reason: str
) -> None:
    recorder.status = aborted(reason, {})
    with pytest.raises(frostgate.FrostgateError) as raised:
        client.freeze_customer(customer_id="c-1", **FREEZE)
    assert type(raised.value) is frostgate.FrostgateError
    assert (raised.value.code, len(recorder.requests)) == (CODE, 1)


@pytest.mark.parametrize("change", SINGLE.values(), ids=list(SINGLE))
@pytest.mark.parametrize("expected", [None, 0, 7])
def test_an_expected_revision_is_sent_only_where_it_is_given(
    client: Any, recorder: Recorder, change: Callable[..., Any], expected: int | None
) -> None:
    with pytest.raises(frostgate.RevisionMismatch):
        change(client, expected_revision=expected)
    (sent,) = recorder.requests
    assert (sent.HasField("expected_revision"), sent.expected_revision) == (expected is not None, expected or 0)


@pytest.mark.parametrize("change", VALIDATING.values(), ids=list(VALIDATING))
def test_validate_only_makes_no_request_id(client: Any, recorder: Recorder, change: Callable[..., Any]) -> None:
    for more in ({"validate_only": True}, {"validate_only": False}, {}, {"validate_only": True, "request_id": "r"}):
        with pytest.raises(frostgate.RevisionMismatch):
            change(client, **more)
    validating, *changing, with_id = recorder.requests
    assert (validating.validate_only, validating.request_id) == (True, "")
    assert [(sent.validate_only, len(sent.request_id)) for sent in changing] == [(False, 36), (False, 36)]
    assert (with_id.validate_only, with_id.request_id) == (True, "r")


@pytest.mark.parametrize("change", VALIDATING.values(), ids=list(VALIDATING))
def test_a_lost_answer_to_validate_only_leaves_no_outcome_unknown(
    client: Any, recorder: Recorder, change: Callable[..., Any]
) -> None:
    recorder.status = Status(code=grpc.StatusCode.INTERNAL.value[0], message="cut off")
    with pytest.raises(frostgate.FrostgateError) as raised:
        change(client, validate_only=True, request_id="r")
    assert type(raised.value) is frostgate.FrostgateError
    with pytest.raises(frostgate.OutcomeUnknown):
        change(client)


def test_a_batch_that_validates_is_read_as_a_batch() -> None:
    call: Call[frostgate.BatchFreezeResult] = customers.batch_freeze_customers(
        ["c-1"], FreezeScope.ACCOUNT, "unpaid", "", None, True
    )
    assert call.request == freezes_pb.BatchFreezeCustomersRequest(
        customer_ids=["c-1"], scope=FREEZE_SCOPE_ACCOUNT, reason="unpaid", validate_only=True
    )
    assert call.read(freezes_pb.BatchFreezeCustomersResponse(revision=3)) == frostgate.BatchFreezeResult({}, 3)


def mismatch() -> frostgate.RevisionMismatch:
    return frostgate.RevisionMismatch("another one", code=CODE, reason="REVISION_MISMATCH", metadata=MISMATCH)


def test_a_mismatch_makes_known_what_became_of_a_lost_answer() -> None:
    tries = Attempts(PATIENCE)
    lost = frostgate.OutcomeUnknown("lost", code=grpc.StatusCode.UNAVAILABLE, request_id="r")
    assert 0 < tries.pause_after(lost) < 1
    with pytest.raises(frostgate.RevisionMismatch):
        tries.pause_after(mismatch())


@pytest.mark.parametrize(
    "copied",
    [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy],  # noqa: S301
    ids=["pickle", "copy", "deep"],
)
def test_a_mismatch_has_its_values_after_a_copy(copied: Callable[[Any], Any]) -> None:
    again = copied(mismatch())
    assert type(again) is frostgate.RevisionMismatch
    assert (again.customer_id, again.expected_revision, again.revision) == ("c-1", 7, 1_000_000_000_009)


def test_the_documented_tree_has_every_exception() -> None:
    exported = [kind for kind in vars(frostgate).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(exported) > 11
    for kind in exported:
        assert f" {kind.__name__} " in f"{frostgate.errors.__doc__}".replace("\n", " ")
