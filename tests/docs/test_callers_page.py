"""The Python of the caller's page is run as it stands there."""

import json
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import frostgate
import grpc
import pytest
from frostgate import BillingMode, FreezeScope, FreezeState, Operation
from support.calls import new_id
from support.server_process import ServerProcess
from support.trial import as_documented, make_trial, serve_trial

PAGE = Path(__file__).parent.parent.parent / "docs" / "callers.md"
MAY, PERMITTED, FREEZE, AS_SEEN, ENUM, NEWER, BY_TOKEN, BY_CERTIFICATE = re.findall(
    r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with one worker."""
    with ServerProcess(tmp_path_factory.mktemp("served") / "frostgate.db") as process:
        yield process


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[frostgate.Client]:
    """A client of the module's server."""
    with frostgate.Client(server.address) as opened:
        yield opened


def made_by(block: str, **names: Any) -> dict[str, Any]:
    """What the block defines."""
    known = {"BillingMode": BillingMode, "FreezeScope": FreezeScope, "Operation": Operation, "frostgate": frostgate}
    namespace: dict[str, Any] = {**known, **names}
    exec(block, namespace)  # noqa: S102 - the page's own code
    return namespace


def test_may_goes_by_the_decision_where_there_is_one(client: frostgate.Client) -> None:
    may, customer_id = made_by(MAY)["may"], new_id()
    client.associate_customer(customer_id=customer_id, partner_id="p")
    assert may(client, customer_id, Operation.VIEW, BillingMode.SPOT) is True
    assert may(client, customer_id, Operation.PURCHASE, BillingMode.SPOT) is False


def test_may_fails_open_for_what_only_shows_or_names_and_closed_for_the_rest() -> None:
    may = made_by(MAY)["may"]
    with frostgate.Client("127.0.0.1:1") as nobody, ThreadPoolExecutor(len(Operation)) as threads:
        answering = threads.map(lambda operation: may(nobody, "a", operation, BillingMode.YEARLY_MONTHLY), Operation)
        answers = dict(zip(Operation, answering, strict=True))
    assert [operation.name for operation, answer in answers.items() if answer] == ["RENAME", "VIEW"]


def test_may_lets_mistakes_be_seen(client: frostgate.Client) -> None:
    with pytest.raises(frostgate.InvalidRequest):
        made_by(MAY)["may"](client, "a", Operation.RENEW, BillingMode.SPOT)


def test_permitted_lists_the_operations_of_a_state(client: frostgate.Client) -> None:
    permitted = made_by(PERMITTED)["permitted"]
    assert permitted(client, FreezeState.ACCOUNT_AND_RESOURCES_FROZEN) == []
    assert "UNSUBSCRIBE YEARLY_MONTHLY" in permitted(client, FreezeState.ACCOUNT_FROZEN)
    assert "PURCHASE SPOT" not in permitted(client, FreezeState.ACCOUNT_FROZEN)


class LosesItsFirstAnswer:
    """A client whose first answer to a change is lost on the way."""

    def __init__(self, client: frostgate.Client) -> None:
        self._client = client
        self.lost = 0

    def freeze_customer(self, **fields: Any) -> frostgate.FreezeResult:
        if self.lost == 0:
            self.lost += 1
            self._client.freeze_customer(**fields)
            raise frostgate.OutcomeUnknown("lost", code=grpc.StatusCode.UNAVAILABLE, request_id=fields["request_id"])
        return self._client.freeze_customer(**fields)

    def __getattr__(self, method: str) -> Any:
        return getattr(self._client, method)


def test_freeze_finds_out_what_became_of_a_lost_answer(client: frostgate.Client) -> None:
    pauses: list[int] = []
    clock = SimpleNamespace(sleep=pauses.append)
    freeze, customer_id = made_by(FREEZE, time=clock, uuid=uuid)["freeze"], new_id()
    client.associate_customer(customer_id=customer_id, partner_id="p")
    losing = LosesItsFirstAnswer(client)
    customer = freeze(losing, customer_id, "unpaid")
    assert (losing.lost, pauses) == (1, [1])
    assert customer.freeze_state is FreezeState.ACCOUNT_AND_RESOURCES_FROZEN
    assert len(list(client.list_freeze_events(customer_id=customer_id))) == 2
    assert freeze(client, customer_id, "unpaid again") == customer


class OthersChangeFirst:
    """A client before whose change somebody else has changed the customer."""

    def unfreeze_customer(self, *, customer_id: str, expected_revision: int, **_: Any) -> frostgate.FreezeResult:
        raise frostgate.RevisionMismatch(
            "changed",
            code=grpc.StatusCode.ABORTED,
            reason="REVISION_MISMATCH",
            metadata={"customer_id": customer_id, "expected_revision": f"{expected_revision}", "revision": "99"},
        )


def test_unfreeze_as_seen_lifts_only_the_freeze_that_was_seen(
    client: frostgate.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    unfreeze, customer_id = made_by(AS_SEEN)["unfreeze_as_seen"], new_id()
    seen = client.associate_customer(customer_id=customer_id, partner_id="p").customer
    assert unfreeze(OthersChangeFirst(), seen, "paid") is None
    assert capsys.readouterr().out == f"{customer_id} has revision 99 instead of {seen.revision}\n"
    assert unfreeze(client, seen, "paid").freeze_state is FreezeState.NORMAL


@pytest.mark.parametrize("block", [ENUM, NEWER], ids=["names", "a newer server"])
def test_enums_are_as_the_page_says(block: str) -> None:
    assert block.count("assert") >= 3
    made_by(block, json=json)


@pytest.fixture(scope="module")
def served_trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, ServerProcess]]:
    """A directory with a trial, and its server."""
    directory = tmp_path_factory.mktemp("trial")
    make_trial(directory)
    with serve_trial(directory) as server:
        yield directory, server


@pytest.fixture
def trial(served_trial: tuple[Path, ServerProcess], monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    """The server of a trial, which was made where the page's programs look for it."""
    directory, server = served_trial
    monkeypatch.chdir(directory)
    return server


def test_credentials_of_the_page_are_those_of_callers(trial: ServerProcess) -> None:
    known = {"grpc": grpc, "Path": Path}
    made = made_by(as_documented(BY_CERTIFICATE, trial), **known)
    assert (made["customer"].customer_id, made["customer"].partner_id) == ("c-1001", "p-1")
    assert made_by(as_documented(BY_TOKEN, trial), **known)["decision"].allowed


def test_a_token_is_read_again_when_its_file_changes(trial: ServerProcess) -> None:
    file = Path("build/trial/billing.token")
    good = file.read_text()
    tls = grpc.ssl_channel_credentials(Path("build/trial/ca.pem").read_bytes())
    with frostgate.Client(trial.address, credentials=tls, token_file=file) as client:
        file.write_text("expired")
        with pytest.raises(frostgate.Unauthenticated):
            client.list_rules()
        file.write_text(good)
        assert client.list_rules().rules
