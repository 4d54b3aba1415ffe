"""Refused callers in the log: the method, the address, and the reason. Never a token, and never a second line."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from support.access import Access
from support.credentials import bearer, token
from support.every_call import REFLECTION, is_admitted, outcome
from support.server_process import Connection, ServerProcess
from support.worker_processes import eventually

TCP = r"(ipv4:127\.0\.0\.1|ipv6:\[::1\]):\d+"
UNIX = r"unix:\S*|an unknown address"


def refusals(server: ServerProcess) -> list[str]:
    """All lines on refused calls, from the method on."""
    lines = server.log.read_text().splitlines()
    return [line.partition(" refused: ")[2] for line in lines if " refused: " in line]


def refusal_of(server: ServerProcess, call: Callable[[], Any], why: str) -> str:
    """The line on a call that is refused for some reason. The call is repeated: there is one line in a second."""

    before = len(refusals(server))

    def found() -> str:
        call()
        return next((line for line in refusals(server)[before:] if why in line), "")

    return str(eventually(found, f"logged: {why}"))


STRANGERS: dict[str, tuple[Callable[[Access], Any], str]] = {
    "no token": (lambda _: None, "a call without a token"),
    "no JWT": (lambda _: bearer("junk"), "a malformed token"),
    "expired": (lambda access: access.token("operator", exp=1), "a token that has expired"),
    "another issuer": (lambda access: access.token("operator", iss="b"), "a token whose iss is not token_issuer"),
    "unknown key": (lambda access: access.token("operator", kid="b"), "a token that is signed by an unknown key"),
    "no caller": (lambda access: access.token("stranger"), "sub:stranger is not a caller"),
    "wrong role": (lambda access: access.token("auditor"), "sub:auditor has the role auditor, which may not call"),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_refused_token_is_logged_with_method_address_and_reason(
    access: Access, server: ServerProcess, kind: str
) -> None:
    metadata, why = STRANGERS[kind]
    shown = metadata(access)
    line = refusal_of(server, lambda: outcome(server, "FreezeCustomer", shown), why)
    assert re.match(rf"FreezeCustomer from {TCP}: {re.escape(why)}", line)
    if shown is not None:
        log = server.log.read_text()
        assert not any(part in log for part in shown[0][1].removeprefix("Bearer ").split("."))


CERTIFICATES: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({}, "a certificate has neither a URI nor a DNS name"),
    "no caller": ({"uris": ["spiffe://test/stranger"]}, "spiffe://test/stranger is not a caller"),
    "two callers": ({"hosts": ["operator.test", "auditor.test"]}, "a certificate with the names of 2 callers"),
    "wrong role": ({"hosts": ["auditor.test"]}, "dns:auditor.test has the role auditor, which may not call"),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_refused_certificate_is_logged_with_method_address_and_reason(
    access: Access, server: ServerProcess, kind: str
) -> None:
    names, why = CERTIFICATES[kind]
    with access.by_certificate(server, **names) as caller:
        line = refusal_of(server, lambda: outcome(caller, "UnfreezeCustomer"), why)
    assert re.match(rf"UnfreezeCustomer from {TCP}: {re.escape(why)}", line)


@pytest.mark.parametrize("method", ["CheckOperation", "BatchCheckOperations", "ListFreezeEvents", REFLECTION])
def test_every_kind_of_call_is_logged_by_its_method(access: Access, server: ServerProcess, method: str) -> None:
    metadata = access.token(f"stranger of {method}")
    line = refusal_of(server, lambda: outcome(server, method, metadata), f"stranger of {method} is not a caller")
    assert re.match(rf"{method} from {TCP}: ", line)


def test_a_subject_of_a_stranger_makes_no_second_line(access: Access, server: ServerProcess) -> None:
    metadata = access.token("a\nERROR forged")
    refusal_of(server, lambda: outcome(server, "GetCustomer", metadata), "a token whose sub is not a valid name")
    assert "\nERROR" not in server.log.read_text()


def test_a_flood_of_refused_calls_makes_a_line_a_second_at_most(server: ServerProcess) -> None:
    before = len(refusals(server))
    for _ in range(200):
        outcome(server, "GetPartner")
    line = refusal_of(server, lambda: outcome(server, "GetPartner"), "more since the last line)")
    assert line.startswith("GetPartner from ")
    assert len(refusals(server)) - before < 100


def test_what_is_answered_is_not_logged(access: Access, server: ServerProcess) -> None:
    before = [line for line in refusals(server) if line.startswith("ListRules ")]
    assert is_admitted(server, access.token("operator"))
    assert [line for line in refusals(server) if line.startswith("ListRules ")] == before


@pytest.fixture(scope="module")
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Access:
    """The keys, certificates and callers of the server on unix sockets."""
    return Access(tmp_path_factory.mktemp("s"))


@pytest.fixture(scope="module")
def on_sockets(sockets: Access) -> Iterator[ServerProcess]:
    """A server whose addresses are both unix sockets."""
    directory = sockets.directory
    flags = ["--listen", f"unix:{directory}/tls", "--mtls-listen", f"unix:{directory}/mtls", "--workers", "1"]
    with sockets.server(*flags) as server:
        yield server


@contextmanager
def relayed(to: Path, bound_to: bytes = b"") -> Iterator[str]:
    """An address on loopback whose one connection goes on to a unix socket, from a socket with a name or without."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as onward:
        if bound_to:
            onward.bind(bound_to)
        onward.connect(str(to))
        thread = threading.Thread(target=_relay, args=(listener, onward))
        thread.start()
        try:
            yield f"localhost:{listener.getsockname()[1]}"
        finally:
            with suppress(OSError):
                onward.shutdown(socket.SHUT_RDWR)
            thread.join()


def _relay(listener: socket.socket, onward: socket.socket) -> None:
    with listener.accept()[0] as caller:
        back = threading.Thread(target=_copy, args=(onward, caller))
        back.start()
        _copy(caller, onward)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def test_refused_callers_of_unix_sockets_are_logged_too(sockets: Access, on_sockets: ServerProcess) -> None:
    """Their own sockets have no names."""
    auditor = sockets.token("auditor")
    with (
        relayed(sockets.directory / "tls") as address,
        Connection(address, sockets.authority.channel()) as caller,
    ):
        line = refusal_of(on_sockets, lambda: outcome(caller, "GetCustomer"), "a call without a token")
        assert re.match(rf"GetCustomer from ({UNIX}): ", line)
        line = refusal_of(on_sockets, lambda: outcome(caller, "FreezeCustomer", auditor), "which may not call")
        assert re.match(rf"FreezeCustomer from ({UNIX}): ", line)
    with (
        relayed(sockets.directory / "mtls") as address,
        Connection(address, sockets.certificate(uris=["spiffe://test/stranger"])) as caller,
    ):
        line = refusal_of(on_sockets, lambda: outcome(caller, "GetPartner"), "is not a caller")
        assert re.match(rf"GetPartner from ({UNIX}): ", line)


@pytest.mark.parametrize("name", [b"caller", b"a\nERROR forged", b"\x1b[2J", b"\xff\xfe", b"%0A%1b"], ids=repr)
def test_the_name_of_a_callers_socket_makes_no_second_line(
    sockets: Access, on_sockets: ServerProcess, name: bytes
) -> None:
    bound = bytes(sockets.directory) + b"/" + name
    with (
        relayed(sockets.directory / "tls", bound) as address,
        Connection(address, sockets.authority.channel()) as caller,
    ):
        line = refusal_of(on_sockets, lambda: outcome(caller, "GetCustomer"), "a call without a token")
    assert re.match(r"GetCustomer from unix:.+: a call without a token", line)
    assert line.isprintable()
    log = on_sockets.log.read_text()
    assert "\nERROR" not in log
    assert "\x1b" not in log


def test_a_server_on_grpcios_own_dispatch_logs_the_same(tmp_path: Path) -> None:
    access = Access(tmp_path)
    text = token("stranger", access.key)
    with access.server("--call-dispatch", "grpcio", "--workers", "1") as server:
        line = refusal_of(server, lambda: outcome(server, "GetCustomer"), "a call without a token")
        assert re.match(rf"GetCustomer from {TCP}: ", line)
        line = refusal_of(server, lambda: outcome(server, REFLECTION, bearer(text)), "sub:stranger is not a caller")
        assert re.match(rf"{REFLECTION} from {TCP}: ", line)
        assert text not in server.log.read_text()
