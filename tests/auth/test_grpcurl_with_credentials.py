"""The real grpcurl describes the services to callers, by token and by certificate, and to nobody else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.access import Access
from support.processes import run
from support.server_process import ServerProcess

Grpcurl = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def grpcurl(access: Access, tool: Callable[[str], str]) -> Grpcurl:
    """Runs grpcurl with TLS. Gives its exit status, and all that it prints."""
    authority = access.directory / "servers.pem"
    authority.write_bytes(access.authority.pem)

    def call(*arguments: str) -> tuple[int, str]:
        done = run(tool("grpcurl"), "-cacert", authority, *arguments)
        return done.returncode, done.stdout + done.stderr

    return call


def test_a_token_is_enough_to_describe_all_services(access: Access, server: ServerProcess, grpcurl: Grpcurl) -> None:
    ((_, authorization),) = access.token("auditor")
    status, printed = grpcurl("-H", f"authorization: {authorization}", server.address, "describe")
    assert (status, printed.count(" is a service:\n")) == (0, 5)


def test_a_certificate_is_enough_to_describe_all_services(
    access: Access, server: ServerProcess, grpcurl: Grpcurl, tmp_path: Path
) -> None:
    access.callers_authority.issue(uris=["spiffe://test/auditor"]).write(tmp_path, "auditor")
    certificate = ["-cert", f"{tmp_path}/auditor.pem", "-key", f"{tmp_path}/auditor.key"]
    status, printed = grpcurl(*certificate, server.mtls_address, "describe")
    assert (status, printed.count(" is a service:\n")) == (0, 5)


@pytest.mark.parametrize("header", [[], ["-H", "authorization: Bearer junk"]], ids=["no token", "a bad token"])
def test_without_a_good_token_nothing_is_described(server: ServerProcess, grpcurl: Grpcurl, header: list[str]) -> None:
    status, printed = grpcurl(*header, server.address, "describe")
    assert status != 0
    assert "Unauthenticated" in printed
    assert "frostgate.v1" not in printed
