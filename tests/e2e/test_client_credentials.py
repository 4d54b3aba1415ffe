"""Credentials go through the client to gRPC: TLS, client certificates and tokens, in a real handshake."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import frostgate
import grpc
import pytest
import trustme
from frostgate.v1.policy_decision_service_pb2 import ListRulesResponse
from support.both_clients import KINDS, open_client
from support.processes import PATIENCE


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Signs the certificates of both sides."""
    return trustme.CA()


@pytest.fixture(scope="module")
def address(authority: trustme.CA) -> Iterator[str]:
    """A server that wants a client certificate, and answers ListRules with the token it was sent as the version."""

    def rules(_: bytes, context: grpc.ServicerContext) -> bytes:
        token = dict(context.invocation_metadata()).get("authorization", "")
        return ListRulesResponse(policy_version=str(token)).SerializeToString()

    certificate = authority.issue_cert("localhost")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    credentials = grpc.ssl_server_credentials(
        [(certificate.private_key_pem.bytes(), chain)], authority.cert_pem.bytes(), require_client_auth=True
    )
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        handlers: dict[str, Any] = {"ListRules": grpc.unary_unary_rpc_method_handler(rules)}
        service = grpc.method_handlers_generic_handler("frostgate.v1.PolicyDecisionService", handlers)
        server.add_generic_rpc_handlers((service,))
        port = server.add_secure_port("localhost:0", credentials)
        server.start()
        yield f"localhost:{port}"
        assert server.stop(None).wait(PATIENCE)


def tls(authority: trustme.CA, signer: trustme.CA) -> grpc.ChannelCredentials:
    certificate = signer.issue_cert("caller")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    return grpc.ssl_channel_credentials(authority.cert_pem.bytes(), certificate.private_key_pem.bytes(), chain)


@pytest.mark.parametrize("kind", KINDS)
def test_client_certificate_and_token_reach_the_server(kind: str, authority: trustme.CA, address: str) -> None:
    token = grpc.access_token_call_credentials("a-token")
    credentials = grpc.composite_channel_credentials(tls(authority, authority), token)
    with open_client(kind, address, credentials=credentials) as client:
        assert client.list_rules().policy_version == "Bearer a-token"


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_handshake_is_unavailable(kind: str, authority: trustme.CA, address: str) -> None:
    stranger = tls(authority, trustme.CA())
    with (
        open_client(kind, address, credentials=stranger, timeout=1) as client,
        pytest.raises((frostgate.Unavailable, frostgate.DeadlineExceeded)),
    ):
        client.list_rules()


@pytest.mark.parametrize("kind", KINDS)
def test_plaintext_does_not_reach_a_server_with_tls(kind: str, address: str) -> None:
    with (
        open_client(kind, address, timeout=1) as client,
        pytest.raises((frostgate.Unavailable, frostgate.DeadlineExceeded)),
    ):
        client.list_rules()
