"""Certificates, keys and callers are replaced while the server runs; a malformed replacement is not used."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from frostgate_server.domain.roles import Role
from support.access import Access
from support.credentials import Authority, jwks, signing_key
from support.every_call import ADMITTED, is_admitted, outcome
from support.runner.sizes import members
from support.server_process import Connection, ServerProcess
from support.worker_processes import eventually, serving_workers


def logged(server: ServerProcess, text: str) -> int:
    return server.log.read_text().count(text)


def test_a_replaced_certificate_is_shown_to_new_connections_and_open_ones_live_on(
    access: Access, server: ServerProcess
) -> None:
    operator = access.token("operator")
    assert is_admitted(server, operator)
    other = Authority("other")
    access.write_certificate(other.issue(hosts=["localhost"]))
    for address in (server.address, server.mtls_address):

        def trusts_the_other(address: str = address) -> bool:
            shown = access.callers_authority.issue(uris=["spiffe://test/operator"])
            with Connection(address, other.channel(shown)) as new:
                return is_admitted(new, operator)

        eventually(trusts_the_other, "shown")
        with Connection(address, access.certificate(uris=["spiffe://test/operator"])) as old:
            assert outcome(old, "ListRules", operator) == "UNAVAILABLE"
    assert is_admitted(server, operator)
    assert eventually(lambda: logged(server, "tls_certificate with tls_key was replaced"), "logged") == 1


def test_a_certificate_whose_key_is_not_there_yet_is_not_shown(access: Access, server: ServerProcess) -> None:
    operator = access.token("operator")
    new = access.authority.issue(hosts=["localhost"])
    (access.directory / "server.pem").write_bytes(new.certificate)
    eventually(lambda: logged(server, "certificate and key do not match"), "logged")
    with Connection(server.address, access.authority.channel()) as caller:
        assert is_admitted(caller, operator)
    (access.directory / "server.key").write_bytes(new.key)
    eventually(lambda: logged(server, "was replaced"), "replaced")
    assert eventually(lambda: logged(server, "do not match; the previous content stays in force"), "logged") == 1


def test_a_symlink_may_be_turned_to_another_directory(access: Access, tmp_path: Path) -> None:
    other = Authority("other")
    for name, authority in (("one", access.authority), ("two", other)):
        (tmp_path / name).mkdir()
        authority.issue(hosts=["localhost"]).write(tmp_path / name, "server")
    (tmp_path / "now").symlink_to("one")
    for file in ("server.pem", "server.key"):
        (tmp_path / file).unlink()
        (tmp_path / file).symlink_to(f"now/{file}")
    with access.server("--workers", "1") as server:
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").rename(tmp_path / "now")

        def trusts_the_other() -> bool:
            with Connection(server.address, other.channel()) as new:
                return is_admitted(new, access.token("operator"))

        eventually(trusts_the_other, "shown")
        assert server.stop() == 0
        assert logged(server, "do not match") == 0


def test_a_replaced_authority_counts_for_new_connections_and_open_ones_live_on(
    access: Access, server: ServerProcess
) -> None:
    with access.by_certificate(server, uris=["spiffe://test/operator"]) as old:
        assert is_admitted(old)
        other = Authority("other callers")
        (access.directory / "ca.pem").write_bytes(other.pem)
        shown = access.authority.channel(other.issue(uris=["spiffe://test/operator"]))

        def is_trusted() -> bool:
            with Connection(server.mtls_address, shown) as new:
                return is_admitted(new)

        eventually(is_trusted, "trusted")
        with access.by_certificate(server, uris=["spiffe://test/operator"]) as refused:
            assert outcome(refused, "ListRules") == "UNAVAILABLE"
        assert is_admitted(old)


def test_a_removed_key_verifies_no_more_not_even_what_it_verified_before(access: Access, server: ServerProcess) -> None:
    two = signing_key("two")
    by_one, by_two = access.token("operator"), access.token("operator", key=two, kid="two")
    assert is_admitted(server, by_one)
    assert not is_admitted(server, by_two)
    (access.directory / "jwks.json").write_bytes(jwks(one=access.key, two=two))
    eventually(lambda: is_admitted(server, by_two), "admitted")
    assert is_admitted(server, by_one)
    (access.directory / "jwks.json").write_bytes(jwks(two=two))
    eventually(lambda: not is_admitted(server, by_one), "refused")
    assert is_admitted(server, by_two)


def test_a_key_of_the_same_kid_is_another_key(access: Access, server: ServerProcess) -> None:
    before = access.token("operator")
    assert is_admitted(server, before)
    (access.directory / "jwks.json").write_bytes(jwks(one=signing_key("two")))
    eventually(lambda: not is_admitted(server, before), "refused")


def test_a_caller_that_lost_its_role_is_refused_and_a_new_one_let_in(access: Access, server: ServerProcess) -> None:
    with access.by_certificate(server, uris=["spiffe://test/operator"]) as operator:
        assert is_admitted(operator)
        assert not is_admitted(server, access.token("new"))
        access.write_callers({"sub:new": Role.AUDITOR, "spiffe://test/operator": Role.PARTNER_CENTER})
        eventually(lambda: is_admitted(server, access.token("new")), "let in")
        assert outcome(operator, "ListRules") == "PERMISSION_DENIED"
        assert outcome(operator, "GetCustomer") == ADMITTED
        assert outcome(server, "ListRules", access.token("operator")) == "PERMISSION_DENIED"


MALFORMED: dict[str, tuple[str, bytes | None, str]] = {
    "empty certificate": ("server.pem", b"", "there is no certificate that can be read"),
    "malformed key": ("server.key", b"junk", "there is no private key"),
    "malformed authority": ("ca.pem", b"junk", "there is no certificate that can be read"),
    "empty JWKS": ("jwks.json", b'{"keys": []}', "is not a JWKS"),
    "nested JWKS": ("jwks.json", b"[" * 10_000, "is not a JWKS"),
    "malformed TOML": ("frostgate.toml", b"[[callers]", "is not valid TOML"),
    "no callers": ("frostgate.toml", b"", "callers must be [[callers]] tables, at least one"),
    "nested TOML": ("frostgate.toml", b"a = " + b"[" * 10_000, "callers ("),
    "unknown role": (
        *("frostgate.toml", b'[[callers]]\nprincipal = "sub:new"\nrole = "boss"'),
        "callers 1: role must be one of",
    ),
    "oversized JWKS": ("jwks.json", b" " * 2_000_000, "has more than 1048576 bytes"),
    "missing JWKS": ("jwks.json", None, "token_keys cannot be read: "),
}
"""The name of the file, its new content if it is still there, and what is logged."""


@pytest.fixture(scope="module")
def lasting_access(tmp_path_factory: pytest.TempPathFactory) -> Access:
    """The keys, certificates and callers of the server whose files are malformed time and again."""
    return Access(tmp_path_factory.mktemp("lasting"))


@pytest.fixture(scope="module")
def lasting_server(lasting_access: Access) -> Iterator[ServerProcess]:
    """A server with one worker."""
    with lasting_access.server("--workers", "1") as server:
        yield server


@pytest.mark.parametrize(
    "kind",
    members(
        MALFORMED,
        short=["malformed key", "malformed authority", "empty JWKS", "missing JWKS", "malformed TOML", "unknown role"],
    ),
)
def test_a_malformed_file_is_logged_once_and_the_one_before_counts_also_for_a_new_worker(
    lasting_access: Access, lasting_server: ServerProcess, kind: str
) -> None:
    access, server = lasting_access, lasting_server
    file, content, said = MALFORMED[kind]
    path = access.directory / file
    good, begun = path.read_bytes(), server.log.stat().st_size

    def logged_since(text: str) -> int:
        return server.log.read_bytes()[begun:].count(text.encode())

    path.unlink()
    if content is not None:
        path.write_bytes(content)
    eventually(lambda: logged_since(said), "logged")
    with access.by_certificate(server, uris=["spiffe://test/operator"]) as operator:
        assert is_admitted(operator)
    for pid in serving_workers(server):
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: logged_since("serves as process"), "replaced")

    def lets_in() -> bool:
        with Connection(server.address, access.authority.channel()) as new:
            return is_admitted(new, access.token("operator"))

    eventually(lets_in, "let in by the new worker")
    path.write_bytes(good + b"\n")
    eventually(lambda: logged_since("was replaced"), "taken up again")
    assert logged_since(said) == 1
