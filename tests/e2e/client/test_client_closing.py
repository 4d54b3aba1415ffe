"""Where a client may be made, and what calls on a closed client raise."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from time import sleep
from typing import Any
from uuid import uuid4

import frostgate
import grpc
import pytest
from frostgate import BillingMode, FreezeScope, Operation, VerificationAction
from support.both_clients import KINDS, open_client
from support.processes import PATIENCE
from support.scripted_server import scripted_server
from support.server_process import ServerProcess

CUSTOMER = {"customer_id": "c"}
FREEZE: dict[str, Any] = {"scope": FreezeScope.ACCOUNT, "reason": "unpaid"}
READS: dict[str, Callable[[Any], Any]] = {
    "check_operation": lambda client: client.check_operation(
        **CUSTOMER, operation=Operation.VIEW, billing_mode=BillingMode.SPOT
    ),
    "batch_check_operations": lambda client: client.batch_check_operations([]),
    "list_rules": lambda client: client.list_rules(),
    "get_customer": lambda client: client.get_customer(**CUSTOMER),
    "list_customers": lambda client: client.list_customers(partner_id="p"),
    "list_freeze_events": lambda client: client.list_freeze_events(),
    "get_partner": lambda client: client.get_partner(partner_id="p"),
}
CHANGES: dict[str, Callable[[Any], Any]] = {
    "associate_customer": lambda client: client.associate_customer(**CUSTOMER, partner_id="p"),
    "disassociate_customer": lambda client: client.disassociate_customer(**CUSTOMER, reason="left"),
    "freeze_customer": lambda client: client.freeze_customer(**CUSTOMER, **FREEZE),
    "unfreeze_customer": lambda client: client.unfreeze_customer(**CUSTOMER, **FREEZE),
    "batch_freeze_customers": lambda client: client.batch_freeze_customers(["c"], **FREEZE),
    "batch_unfreeze_customers": lambda client: client.batch_unfreeze_customers(["c"], **FREEZE),
}
OF_PARTNERS: dict[str, Callable[[Any], Any]] = {
    "update_partner": lambda client: client.update_partner(partner_id="p", verification_code_enabled=False),
    "send_verification_code": lambda client: client.send_verification_code(
        partner_id="p", action=VerificationAction.UPDATE_PARTNER
    ),
}
CALLS = {**READS, **CHANGES, **OF_PARTNERS}


def test_the_calls_of_this_file_are_all_that_a_client_has() -> None:
    assert {name for name in vars(frostgate.Client) if not name.startswith("_")} == set(CALLS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("used", [True, False], ids=["used before", "never used"])
def test_every_call_on_a_closed_client_raises_client_closed(kind: str, used: bool, server: ServerProcess) -> None:
    with open_client(kind, server.address, channels=2) as client:
        if used:
            assert client.list_rules().rules
        client.close()
        for call in CALLS.values():
            with pytest.raises(frostgate.ClientClosed, match="the client is closed: make another one"):
                call(client)
        client.close()


@contextmanager
def unanswered(kind: str) -> Iterator[tuple[Any, Event]]:
    """A client whose server answers no call before the client is closed, and the event that a call has come."""
    came, end = Event(), Event()

    def wait(*_: object) -> bytes:
        came.set()
        assert end.wait(PATIENCE)
        return b""

    with scripted_server(wait) as address, open_client(kind, address, timeout=PATIENCE) as client:
        try:
            yield client, came
        finally:
            end.set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["check_operation", "list_customers", "update_partner"])
def test_a_call_under_way_ends_with_client_closed(kind: str, name: str) -> None:
    with unanswered(kind) as (client, came), ThreadPoolExecutor(1) as thread:
        call = thread.submit(CALLS[name], client)
        assert came.wait(PATIENCE)
        client.close()
        with pytest.raises(frostgate.ClientClosed, match="closed before the answer came"):
            call.result(PATIENCE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["freeze_customer", "batch_unfreeze_customers"])
def test_a_change_under_way_ends_with_an_unknown_outcome(kind: str, name: str) -> None:
    with unanswered(kind) as (client, came), ThreadPoolExecutor(1) as thread:
        call = thread.submit(CALLS[name], client)
        assert came.wait(PATIENCE)
        client.close()
        with pytest.raises(frostgate.OutcomeUnknown, match="closed before the answer came"):
            call.result(PATIENCE)


def test_an_asynchronous_client_may_be_made_outside_of_an_event_loop(server: ServerProcess) -> None:
    client = frostgate.aio.Client(server.address, channels=2)

    async def call() -> None:
        async with client:
            assert (await client.list_rules()).rules

    asyncio.run(call())


def test_an_asynchronous_client_may_be_used_in_one_event_loop_after_another(server: ServerProcess) -> None:
    client = frostgate.aio.Client(server.address)

    async def associate() -> frostgate.Association:
        return await client.associate_customer(customer_id=f"c-{uuid4()}", partner_id="p")

    assert asyncio.run(associate()).revision < asyncio.run(associate()).revision
    asyncio.run(client.close())


def test_an_asynchronous_client_is_refused_in_two_event_loops_at_once(server: ServerProcess) -> None:
    with asyncio.Runner() as first, asyncio.Runner() as second:
        client = frostgate.aio.Client(server.address)

        async def call() -> frostgate.Policy:
            return await client.list_rules()

        assert first.run(call()).rules
        with pytest.raises(RuntimeError, match=r"an aio\.Client belongs to one event loop: make another client"):
            second.run(call())
        first.run(client.close())


def test_a_cancelled_task_stays_cancelled_when_its_client_is_closed() -> None:
    async def cancel(client: frostgate.aio.Client) -> None:
        task = asyncio.create_task(client.list_rules())
        await asyncio.sleep(0)
        task.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel(frostgate.aio.Client("127.0.0.1:1")))


class LateWatch:
    """A channel of gRPC's core whose state is watched a while after gRPC's thread has decided to do so."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def check_connectivity_state(self, try_to_connect: bool) -> Any:
        return self._channel.check_connectivity_state(try_to_connect)

    def watch_connectivity_state(self, state: Any, deadline: float) -> Any:
        sleep(0.3)
        return self._channel.watch_connectivity_state(state, deadline)


class PassOn(grpc.UnaryUnaryClientInterceptor):
    """An interceptor that changes nothing."""

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(client_call_details, request)


@pytest.mark.parametrize("interceptors", [[], [PassOn()]], ids=["plain", "intercepted"])
def test_a_close_leaves_no_thread_of_grpc_with_an_error(
    server: ServerProcess, interceptors: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    poll, ended = vars(grpc)["_channel"]._poll_connectivity, Event()
    errors: list[ValueError] = []

    def poll_late(state: Any, channel: Any, try_to_connect: bool) -> None:
        try:
            poll(state, LateWatch(channel), try_to_connect)
        except ValueError as error:
            errors.append(error)
        finally:
            ended.set()

    monkeypatch.setattr("grpc._channel._poll_connectivity", poll_late)
    with frostgate.Client(server.address, interceptors=interceptors) as client:
        assert client.list_rules().rules
    assert ended.wait(PATIENCE)
    assert errors == []
