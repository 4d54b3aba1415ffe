"""The answers that are kept for the request_ids of one caller take about as much as caller_kept_megabytes says."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.domain.errors import KeptAnswersFull
from frostgate_server.services.commands import AssociateCommand, BatchFreezeCommand, BatchUnfreezeCommand, ChangeCommand
from frostgate_server.services.stored_responses import BatchChangeResult
from frostgate_server.storage.sqlite.connections import connect
from google.rpc.error_details_pb2 import RetryInfo
from storage.clocks.clocked_services import DAY, HOUR, MINUTE, NOW, ClockedServices
from support.calls import ACCOUNT, Calls, outcome_of, refusal
from support.processes import PATIENCE
from support.server_process import ServerProcess
from support.statuses import status_of

MEGABYTE = 10**6
UNKNOWN = tuple(f"unknown-{number}" for number in range(999))
"""With a customer that is changed, a batch whose answer takes over 100 KB."""


def request_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def batch(number: int) -> ChangeCommand:
    """Freezes customer d, or unfreezes it, in turn."""
    kind = BatchFreezeCommand if number % 2 else BatchUnfreezeCommand
    ids = ("d", *UNKNOWN)
    return kind(customer_ids=ids, scope=FreezeScope.ACCOUNT, reason="r", request_id=request_id(number))


def make(services: ClockedServices, command: ChangeCommand) -> BatchChangeResult:
    return services.customers.change_customers(services.caller, command).result()


def fill(services: ClockedServices, first: int = 0) -> int:
    """Makes batches until one is refused. Gives its number."""
    for number in range(first, first + 100):
        try:
            make(services, batch(number))
        except KeptAnswersFull:
            return number
    raise AssertionError("never refused")


@pytest.fixture(autouse=True)
def customer(services: ClockedServices) -> None:
    """Customer d of a partner without codes."""
    services.change(AssociateCommand(customer_ids=("d",), partner_id="q"))


def test_changes_with_a_request_id_are_refused_at_the_limit_and_others_are_made(services: ClockedServices) -> None:
    refused = fill(services)
    revision = services.store.get_revision()
    with pytest.raises(KeptAnswersFull, match="exceed the setting caller_kept_megabytes, 1: "):
        make(services, batch(refused))
    assert services.store.get_revision() == revision
    assert make(services, batch(0)).revision == 3
    assert make(services, replace(batch(refused), validate_only=True)).revision == revision
    assert make(services, replace(batch(refused), customer_ids=UNKNOWN)).revision == revision
    assert make(services, replace(batch(refused), request_id="")).revision == revision + 1
    services.caller = replace(services.caller, principal="sub:another")
    assert make(services, batch(refused + 1)).revision == revision + 2


def file_size(path: Path) -> int:
    with closing(connect(path)) as connection:
        ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
    return int(pages) * 4096


def test_the_bound_is_about_what_the_database_grows_by(services: ClockedServices, tmp_path: Path) -> None:
    before = file_size(tmp_path / "frostgate.db")
    fill(services)
    kept, _ = services.store.run_transaction(lambda transaction: transaction.count_kept_bytes("anonymous", NOW))
    grown = file_size(tmp_path / "frostgate.db") - before
    assert MEGABYTE <= kept < 1.2 * MEGABYTE
    assert 0.8 * grown < kept < 1.2 * grown


def test_there_is_room_again_once_the_oldest_answers_have_expired(services: ClockedServices) -> None:
    services.now = NOW + 10 * MINUTE
    refused = fill(services)
    services.now = NOW + 2 * HOUR
    with pytest.raises(KeptAnswersFull) as full:
        make(services, batch(refused))
    assert timedelta(seconds=full.value.retry_after_seconds) == 23 * HOUR
    services.now += 23 * HOUR - MINUTE
    with pytest.raises(KeptAnswersFull):
        make(services, batch(refused))
    services.now += MINUTE
    assert fill(services, refused) > refused + 5


@pytest.mark.parametrize("jump", [365 * DAY, -365 * DAY, 30 * DAY], ids=str)
def test_answers_of_a_clock_that_was_wrong_do_not_count(services: ClockedServices, jump: timedelta) -> None:
    services.now = NOW + jump
    refused = fill(services)
    services.now = NOW
    assert fill(services, refused) > refused + 5


def test_the_counts_are_deleted_with_their_hours(services: ClockedServices, tmp_path: Path) -> None:
    for hour in range(60):
        services.now = NOW + hour * HOUR
        ids = (f"customer-{hour}",)
        services.change(AssociateCommand(customer_ids=ids, partner_id="q", request_id=request_id(hour)))
    with closing(connect(tmp_path / "frostgate.db")) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM kept_answers").fetchall()
    assert rows == 25


def test_a_caller_is_told_what_is_full_and_when_to_try_again(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "served.db", "--caller-kept-megabytes=1") as server:
        calls = Calls(server)
        calls.associate(customer_id="d")
        request = pb.BatchFreezeCustomersRequest(customer_ids=["d", *UNKNOWN], scope=ACCOUNT, reason="r")
        for number in range(100):
            calls.unfreeze(customer_id="d")
            request.request_id = request_id(number)
            future = server.freezes.BatchFreezeCustomers.future(request, timeout=PATIENCE)
            if (outcome := outcome_of(future)) != "OK":
                break
        assert outcome == "OVERLOADED"
        assert 5 < number < 15
        refused = refusal(lambda: server.freezes.BatchFreezeCustomers(request, timeout=PATIENCE))
        assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "caller_kept_megabytes, 1:" in refused.message
        assert (refused.metadata["principal"], refused.metadata["megabytes"]) == ("anonymous", "1")
        error = future.exception()
        assert isinstance(error, grpc.RpcError)
        _, status = status_of(error)
        retry = RetryInfo()
        assert status.details[1].Unpack(retry)
        assert 24 * 3600 <= retry.retry_delay.seconds <= 25 * 3600
        request.request_id = ""
        assert server.freezes.BatchFreezeCustomers(request, timeout=PATIENCE).results[0].customer.customer_id == "d"
