"""Credentials go through the client to gRPC: TLS, client certificates and tokens, in a real handshake."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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
def test_the_token_of_a_file_is_sent_without_its_newline_and_read_again(
    kind: str, authority: trustme.CA, address: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("a-token\n")
    with open_client(kind, address, credentials=tls(authority, authority), token_file=file) as client:
        assert client.list_rules().policy_version == "Bearer a-token"
        file.write_text("another-token\r\n")
        assert client.list_rules().policy_version == "Bearer another-token"
        file.write_text("two\ntokens")
        with pytest.raises(frostgate.Unauthenticated, match=r"token_file: .* contains the character"):
            client.list_rules()


@pytest.mark.parametrize("kind", [frostgate.Client, frostgate.aio.Client])
def test_a_token_file_that_cannot_be_used_is_refused_when_the_client_is_made(
    kind: Any, authority: trustme.CA, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("a token")
    with pytest.raises(ValueError, match=r"token_file: .* contains the character ' '"):
        kind("localhost:1", credentials=tls(authority, authority), token_file=file)
    file.write_text("a-token")
    with pytest.raises(ValueError, match="token_file needs credentials"):
        kind("localhost:1", token_file=file)


@pytest.mark.parametrize("token", ["a-token\n", "a\ttoken", "\u00e4"], ids=ascii)
@pytest.mark.parametrize("kind", KINDS)
def test_a_token_of_grpcs_credentials_that_cannot_be_sent_is_an_error_at_once(
    kind: str, token: str, authority: trustme.CA, address: str
) -> None:
    credentials = grpc.composite_channel_credentials(
        tls(authority, authority), grpc.access_token_call_credentials(token)
    )
    with open_client(kind, address, credentials=credentials, timeout=PATIENCE) as client:
        with pytest.raises(frostgate.Unauthenticated, match="the token cannot be sent: it must be printable ASCII"):
            client.list_rules()
        with pytest.raises(frostgate.Unauthenticated, match="the token cannot be sent"):
            client.associate_customer(customer_id="c", partner_id="p")


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
