"""What an error says of the call: whether it may have reached a server."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import frostgate
import grpc
import pytest
import trustme
from frostgate import BillingMode, FreezeScope, Operation
from support.both_clients import KINDS, open_client
from support.processes import PATIENCE
from support.scripted_server import scripted_server

TIMEOUT = 2.0
"""Seconds of a call that is tried until its deadline. On a loaded machine gRPC must have tried to connect by then."""

FREEZE: dict[str, Any] = {"scope": FreezeScope.ACCOUNT, "reason": "unpaid"}
READS: list[Callable[[Any], Any]] = [
    lambda client: client.check_operation(customer_id="c", operation=Operation.VIEW, billing_mode=BillingMode.SPOT),
    lambda client: client.list_customers(partner_id="p"),
]
CHANGES: list[Callable[[Any], Any]] = [
    lambda client: client.freeze_customer(customer_id="c", **FREEZE),
    lambda client: client.batch_unfreeze_customers(["c"], **FREEZE),
    lambda client: client.update_partner(partner_id="p", verification_code_enabled=False),
]


def assert_nothing_was_sent(client: Any, calls: list[Callable[[Any], Any]], reason: str = "") -> None:
    """Makes the calls side by side: each is tried until its deadline."""
    with ThreadPoolExecutor(len(calls)) as threads:
        made = [threads.submit(call, client) for call in calls]
        for call in made:
            with pytest.raises(
                frostgate.Unavailable, match=f"no connection to .*{reason}.* Nothing was sent$"
            ) as raised:
                call.result(PATIENCE)
            assert (raised.value.sent, raised.value.code) == (False, grpc.StatusCode.UNAVAILABLE)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_server_nothing_was_sent(kind: str) -> None:
    with open_client(kind, "127.0.0.1:1", timeout=TIMEOUT) as client:
        assert_nothing_was_sent(client, [*READS, *CHANGES], "Connection refused")


@pytest.mark.parametrize("kind", KINDS)
def test_to_a_socket_without_http2_nothing_was_sent(kind: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        open_client(kind, f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.5) as client,
    ):
        assert_nothing_was_sent(client, [*READS, *CHANGES])


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_server_has_gone_nothing_was_sent_and_after_it_is_back_all_is(kind: str, tmp_path: Path) -> None:
    came: list[str] = []

    def answer(name: str, *_: object) -> bytes:
        came.append(name)
        return b""

    address = f"unix:{tmp_path}/socket"
    with open_client(kind, address, timeout=TIMEOUT) as client:
        assert_nothing_was_sent(client, CHANGES[:1])
        with scripted_server(answer, address):
            client.disassociate_customer(customer_id="c", reason="left", timeout=PATIENCE)
        with pytest.raises(frostgate.Unavailable):
            client.list_rules()
        assert_nothing_was_sent(client, CHANGES[:1])
        with scripted_server(answer, address):
            client.disassociate_customer(customer_id="d", reason="left", timeout=PATIENCE)
    assert came == ["DisassociateCustomer"] * 2


@pytest.fixture
def unanswered() -> Iterator[str]:
    """The address of a server that takes calls and answers none until the end of the test."""
    end = Event()

    def wait(*_: object) -> bytes:
        assert end.wait(PATIENCE)
        return b""

    with scripted_server(wait) as address:
        try:
            yield address
        finally:
            end.set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_was_sent_and_not_answered_says_so(kind: str, unanswered: str) -> None:
    with open_client(kind, unanswered, timeout=TIMEOUT) as client:
        with pytest.raises(frostgate.DeadlineExceeded) as late:
            READS[0](client)
        with pytest.raises(frostgate.OutcomeUnknown) as unknown:
            CHANGES[0](client)
    assert late.value.sent
    assert unknown.value.sent
    assert "Nothing was sent" not in f"{late.value}{unknown.value}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_was_sent(kind: str) -> None:
    def refuse(_: str, __: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such customer")

    with (
        scripted_server(refuse) as address,
        open_client(kind, address, timeout=PATIENCE) as client,
        pytest.raises(frostgate.NotFound) as refused,
    ):
        client.get_customer(customer_id="nobody")
    assert refused.value.sent


class Broken(grpc.AuthMetadataPlugin):
    """Credentials that give no token."""

    def __call__(self, _: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        """Fails."""
        callback((), OSError("no token today"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["", "frostgate"], ids=["by TLS", "with credentials that give no token"])
def test_a_missing_credential_says_why_and_sends_nothing(kind: str, name: str) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    keys = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())])
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(authority.cert_pem.bytes()), grpc.metadata_call_credentials(Broken())
    )
    with scripted_server(lambda *_: b"", credentials=keys) as address:
        target = address.replace("127.0.0.1", "localhost")
        with (
            open_client(kind, target, timeout=TIMEOUT, credentials=credentials if name else None) as client,
            pytest.raises(frostgate.Unavailable, match="no token today" if name else "no connection") as raised,
        ):
            CHANGES[0](client)
    assert not raised.value.sent
