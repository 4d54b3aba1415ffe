"""Which targets are sockets of this machine, and the options of a channel to them."""

import pytest
from frostgate.transport.options import channel_options_for
from frostgate.transport.targets import is_local

LOCAL = [
    "localhost:50051",
    "localhost",
    "LocalHost:50051",
    "localhost.:50051",
    "frostgate.localhost:50051",
    "127.0.0.1:50051",
    "127.0.0.1",
    "127.9.8.7:1",
    "[::1]:50051",
    "[::1]",
    "::1",
    "[::ffff:127.0.0.1]:50051",
    "0.0.0.0:50051",
    "[::]:50051",
    "unix:/run/frostgate",
    "unix:frostgate.sock",
    "unix:///run/frostgate",
    "unix-abstract:frostgate",
    "dns:localhost:50051",
    "dns:///localhost:50051",
    "dns://8.8.8.8/127.0.0.1:50051",
    "ipv4:127.0.0.1:50051",
    "ipv4:127.0.0.1:50051,127.0.0.2:50051",
    "ipv6:[::1]:50051",
    "ipv6:%5B::1%5D:50051",
]
DISTANT = [
    "frostgate.example:50051",
    "frostgate:50051",
    "localhost.example:50051",
    "notlocalhost:50051",
    "unix.example:50051",
    "10.0.0.1:50051",
    "128.0.0.1:50051",
    "[2001:db8::1]:50051",
    "[::ffff:10.0.0.1]:50051",
    "dns:///frostgate.example:50051",
    "dns://127.0.0.1/frostgate.example:50051",
    "ipv4:127.0.0.1:50051,10.0.0.1:50051",
    "xds:///localhost:50051",
    "",
]
PROXY = "grpc.enable_http_proxy"


@pytest.mark.parametrize("target", LOCAL)
def test_loopback_and_unix_targets_are_local_and_use_no_proxy(target: str) -> None:
    assert is_local(target)
    assert dict(channel_options_for(target))[PROXY] == 0


@pytest.mark.parametrize("target", DISTANT)
def test_other_targets_use_a_proxy_if_there_is_one(target: str) -> None:
    assert not is_local(target)
    assert PROXY not in dict(channel_options_for(target))


def test_given_options_take_the_place_of_the_clients_own() -> None:
    given = [(PROXY, 1), ("grpc.max_reconnect_backoff_ms", 7), ("grpc.primary_user_agent", "me")]
    assert set(given) <= set(channel_options_for("localhost:1", given))
    names = [name for name, _ in channel_options_for("localhost:1", given)]
    assert len(names) == len(set(names))
