"""A connection that is silently dropped: the client leaves it, and goes on with another one."""

import asyncio
from collections.abc import Iterator
from typing import Any

import frostgate
import grpc
import pytest
from frostgate.transport import aio_channel, channel
from frostgate.transport.options import channel_options_for
from frostgate.transport.settings import ChannelSettings
from grpc_health.v1 import health_pb2
from support.both_clients import KINDS, open_client
from support.calls import new_id
from support.processes import PATIENCE
from support.runner.sizes import is_long, size
from support.server_process import ServerProcess
from support.swallowing_proxy import SwallowingProxy
from support.worker_processes import eventually

FASTER: list[tuple[str, int]] = [
    ("grpc.keepalive_time_ms", 1000),
    ("grpc.keepalive_timeout_ms", 1000),
    ("grpc.http2.ping_timeout_ms", 1000),
]

WATCH = (
    "/grpc.health.v1.Health/Watch",
    health_pb2.HealthCheckRequest.SerializeToString,
    health_pb2.HealthCheckResponse.FromString,
)

PINGS = size(short=1, long=6)
"""Of which each comes after 6 s. The server ends a connection at the third that comes too early."""

pytestmark = pytest.mark.long


def settings() -> dict[str, Any]:
    """Those of a client: its own in the long form, faster ones in the short form."""
    return {} if is_long() else {"options": FASTER}


def limit() -> float:
    """Seconds in which a call is answered again: those that are promised, or enough for a loaded machine."""
    return 15.0 if is_long() else PATIENCE


@pytest.fixture
def proxy(server: ServerProcess) -> Iterator[SwallowingProxy]:
    """A proxy before the module's server."""
    with SwallowingProxy(server.address) as started:
        yield started


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_on_a_dropped_connection_is_answered_on_another_one(kind: str, proxy: SwallowingProxy) -> None:
    with open_client(kind, proxy.address, **settings()) as client:
        assert client.list_rules().rules
        proxy.swallow()
        assert client.list_rules(timeout=limit()).rules
        customer_id = new_id()
        proxy.swallow()
        client.associate_customer(customer_id=customer_id, partner_id="p", timeout=limit())
        assert len(client.list_freeze_events(customer_id=customer_id)) == 1
    assert proxy.connections == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_dropped_connection_without_calls_is_left_too(kind: str, proxy: SwallowingProxy) -> None:
    with open_client(kind, proxy.address, **settings()) as client:
        assert client.list_rules().rules
        proxy.swallow()
        assert proxy.left.wait(limit())
        assert client.list_rules().rules
    assert proxy.connections == 2


def test_the_server_takes_the_pings_of_an_idle_client(proxy: SwallowingProxy) -> None:
    with frostgate.Client(proxy.address) as client:
        assert client.list_rules().rules
        before = proxy.pings
        eventually(lambda: proxy.pings >= before + PINGS, f"{PINGS} pings")
        assert client.list_rules().rules
    assert proxy.connections == 1


def stream_settings(address: str) -> ChannelSettings:
    """The settings of the client's own channels."""
    return ChannelSettings(address, None, channel_options_for(address, [] if is_long() else FASTER))


def test_a_stream_on_a_dropped_connection_ends(proxy: SwallowingProxy) -> None:
    with channel.new_channel(stream_settings(proxy.address)) as opened:
        watching: Any = opened.unary_stream(*WATCH)(health_pb2.HealthCheckRequest(), timeout=limit())
        assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
        proxy.swallow()
        with pytest.raises(grpc.RpcError) as ended:
            next(watching)
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE


def test_an_asynchronous_stream_on_a_dropped_connection_ends(proxy: SwallowingProxy) -> None:
    async def watch() -> grpc.StatusCode:
        async with aio_channel.new_channel(stream_settings(proxy.address)) as opened:
            watching: Any = opened.unary_stream(*WATCH)(health_pb2.HealthCheckRequest(), timeout=limit())
            assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
            proxy.swallow()
            with pytest.raises(grpc.RpcError):
                await watching.read()
            code: grpc.StatusCode = await watching.code()
            return code

    assert asyncio.run(watch()) is grpc.StatusCode.UNAVAILABLE
