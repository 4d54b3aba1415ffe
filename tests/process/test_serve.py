"""The server as its operator meets it: start, refusal to start, health and reflection."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.process.system.address_users import processes_at
from frostgate_server.storage.sqlite.opening import open_store
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from support.calls import Calls
from support.processes import PATIENCE, Process, output
from support.server_process import COMMAND, Connection, ServerProcess, refused_start
from support.subjects import ServiceSubject
from support.worker_processes import serving_workers

OTHER_ADDRESS = "stop it, or take another address"

SERVICES = ["frostgate.v1.CustomerFreezeService", "frostgate.v1.PolicyDecisionService"]


@pytest.fixture(scope="module")
def on_a_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on a unix socket."""
    directory = tmp_path_factory.mktemp("on_a_socket")
    with ServerProcess(directory / "frostgate.db", "--listen", f"unix:{directory}/socket") as server:
        yield server


def test_it_says_in_one_line_that_it_is_ready(server: ServerProcess) -> None:
    assert re.fullmatch(
        rf"frostgate-server is ready on 127\.0\.0\.1:\d+: database {re.escape(str(server.log.with_suffix('')))} "
        r"at revision 0, policy [0-9a-f]{16}, unknown customers: DENY, workers: \d+\n",
        server.ready_line,
    )
    assert server.log.read_text() == ""


def test_it_serves_on_a_unix_socket(on_a_socket: ServerProcess) -> None:
    assert on_a_socket.address == f"unix:{on_a_socket.log.with_name('socket')}"
    assert Calls(on_a_socket).new_customer()


def test_it_serves_on_ipv6_loopback(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--listen", "[::1]:0") as server:
        assert server.address.startswith("[::1]:")
        assert Calls(server).new_customer()


def test_it_makes_the_documented_default_database_on_the_first_run(tmp_path: Path) -> None:
    with Process([*COMMAND, "serve", "--listen", "127.0.0.1:0", "--workers", "1"], cwd=tmp_path) as process:
        assert "database data/frostgate.db at revision 0" in process.next_line()
        assert process.terminated() == 0
    assert (tmp_path / "data" / "frostgate.db").stat().st_mode & 0o777 == 0o600


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = refused_start("serve", "--listen", address, "--database", f"{tmp_path}/f.db", "--create")
    assert line == f"cannot listen on {address}: Address already in use by process {os.getpid()}: {OTHER_ADDRESS}"
    assert not (tmp_path / "f.db").exists()


def test_the_port_of_another_frostgate_is_refused(server: ServerProcess, tmp_path: Path) -> None:
    line = refused_start("serve", "--listen", server.address, "--database", f"{tmp_path}/f.db", "--create")
    pids = sorted(serving_workers(server))
    users, them = ("process", "it") if len(pids) == 1 else ("processes", "them")
    said = f"Address already in use by {users} {', '.join(map(str, pids))}: stop {them}, or take another address"
    assert line == f"cannot listen on {server.address}: {said}"


def test_the_unix_socket_of_another_frostgate_is_refused(on_a_socket: ServerProcess, tmp_path: Path) -> None:
    listen = on_a_socket.address
    line = refused_start("serve", "--listen", listen, "--database", f"{tmp_path}/f.db", "--create")
    worker = re.search(r"by process (\d+)", line)
    assert worker, line
    assert int(worker[1]) in on_a_socket.workers()
    assert line == f"cannot listen on {listen}: Address already in use by process {worker[1]}: {OTHER_ADDRESS}"


def test_the_process_at_an_address_is_found_beside_sockets_with_odd_names(tmp_path: Path) -> None:
    """A name may have any bytes, and a blank or a line end."""
    taken = tmp_path / "taken by somebody"
    with ExitStack() as opened:
        for name in (b"\xff", "\u2028", " a b", "a\nb", "a\x85b"):
            odd = opened.enter_context(socket.socket(socket.AF_UNIX))
            odd.bind(os.fsencode(tmp_path) + b"/" + os.fsencode(name))
            odd.listen()
        user = opened.enter_context(socket.socket(socket.AF_UNIX))
        user.bind(str(taken))
        user.listen()
        assert processes_at(f"unix:{taken}") == [os.getpid()]
        line = refused_start("serve", "--listen", f"unix:{taken}", "--database", f"{tmp_path}/f.db", "--create")
    assert line == f"cannot listen on unix:{taken}: Address already in use by process {os.getpid()}: {OTHER_ADDRESS}"


def test_an_address_of_no_host_is_refused(tmp_path: Path) -> None:
    line = refused_start("serve", "--listen", "no.such.host.invalid:1", "--insecure", "--database", f"{tmp_path}/f.db")
    assert line.startswith("cannot listen on no.such.host.invalid:1: ")


def test_a_database_in_use_is_refused(server: ServerProcess) -> None:
    database = server.log.with_suffix("")
    line = refused_start("serve", "--listen", "127.0.0.1:0", "--database", str(database))
    assert line == (
        f"database {database} is in use by process {server.process.pid}: stop it, or take another --database"
    )


def test_a_missing_database_is_refused(tmp_path: Path) -> None:
    line = refused_start("serve", "--listen", "127.0.0.1:0", "--database", f"{tmp_path}/typo.db")
    assert line == f"database {tmp_path}/typo.db does not exist: correct --database, or pass --create to make a new one"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refused_start("serve", "--listen", "127.0.0.1:0", "--database", f"{tmp_path}/file/f.db", "--create")
    assert line == f"directory {tmp_path}/file cannot be created: File exists"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "a..b:1", "--insecure"], "cannot listen on a..b:1: "),
        (
            ["--listen", f"unix:/tmp/{'long' * 50}"],
            "listen (from --listen) must have at most 107 bytes after unix:, but is",
        ),
        (["--listen", "127.0.0.1:0", "--database", "/"], "database (from --database) must name a file"),
        (["--listen", "127.0.0.1:0", "--database", "/proc"], "database /proc is a directory: correct --database"),
        (["--listen", "127.0.0.1:0", "--database", "long" * 100], "[Errno 36] File name too long"),
        (
            ["--listen", "127.0.0.1:0", "--database", "/proc/none/f.db", "--create"],
            "directory /proc/none cannot be created",
        ),
    ],
)
def test_whatever_keeps_it_from_starting_is_said_in_one_line(arguments: list[str], said: str) -> None:
    assert refused_start("serve", *arguments).startswith(said)


def test_a_corrupt_database_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with closing(open_store(database, create=True)) as store:
        ServiceSubject(store).associate("a", "p")
    database.write_bytes(b"no pages at all" * 1000)
    line = refused_start("serve", "--listen", "127.0.0.1:0", "--database", str(database))
    assert line == (
        f"database {database} cannot be used: file is not a database; "
        "restore a backup with frostgate-server restore --database FILE BACKUP"
    )


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.invalid:0"])
def test_without_tls_only_loopback_is_served(tmp_path: Path, listen: str) -> None:
    line = refused_start("serve", "--listen", listen, "--database", f"{tmp_path}/f.db", "--create")
    assert line == f"other machines can reach {listen}, but there is no TLS: listen on 127.0.0.1, or pass --insecure"


def test_recover_says_what_it_took_up(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with closing(open_store(database, create=True)) as store:
        ServiceSubject(store).associate("a", "p")
        ServiceSubject(store).unfreeze("a", FreezeScope.ACCOUNT)
    database.with_name("frostgate.db-head").unlink()
    expected = f"{database} contains 1 customer and 2 events up to revision 2, and continues from revision 1000000002\n"
    assert output(*COMMAND, "recover", "--database", database) == expected
    with ServerProcess(database) as server:
        assert Calls(server).events().events[0].revision == 2


def health_of(connection: Connection, service: str) -> Any:
    stub: Any = HealthStub(connection.channel)
    return stub.Check(HealthCheckRequest(service=service), timeout=PATIENCE).status


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_health_is_serving_for_the_server_and_for_each_service(server: ServerProcess, service: str) -> None:
    assert health_of(server, service) == HealthCheckResponse.SERVING


def test_health_of_no_service_is_not_found(server: ServerProcess) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        health_of(server, "none")
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_lists_every_service_under_both_of_its_names(server: ServerProcess, version: str) -> None:
    reflect = server.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )
    asked = [ServerReflectionRequest(list_services="*"), ServerReflectionRequest(file_containing_symbol=SERVICES[0])]
    listed, file = reflect(iter(asked), timeout=PATIENCE)
    names = [service.name for service in listed.list_services_response.service]
    assert {*SERVICES, "grpc.health.v1.Health"} <= set(names)
    assert b"CustomerFreezeService" in file.file_descriptor_response.file_descriptor_proto[0]
