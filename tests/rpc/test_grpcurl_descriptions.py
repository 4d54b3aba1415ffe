"""The real grpcurl describes every symbol that it lists, by the present name of reflection and by the earlier one."""

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from functools import partial

import grpc
import pytest
from frostgate.v1.customer_freeze_service_pb2 import DESCRIPTOR as FREEZES
from frostgate.v1.policy_decision_service_pb2 import DESCRIPTOR as DECISIONS
from frostgate_server.rpc import health
from frostgate_server.rpc.reflection import V1, V1ALPHA, Reflection
from support.processes import output, run
from support.server_process import ServerProcess

FROSTGATE = [DECISIONS.services_by_name["PolicyDecisionService"], FREEZES.services_by_name["CustomerFreezeService"]]

SERVICES = [*(service.full_name for service in FROSTGATE), health.SERVICE.full_name, V1, V1ALPHA]

METHOD = "ServerReflectionInfo"

Grpcurl = Callable[..., str]


@pytest.fixture(scope="module")
def grpcurl(server: ServerProcess, tool: Callable[[str], str]) -> Grpcurl:
    """Prints what grpcurl says of the module's server."""
    return partial(output, tool("grpcurl"), "-plaintext", server.address)


@contextmanager
def serving_reflection(name: str) -> Iterator[str]:
    """The address of a server that has nothing but reflection, under one name."""
    reflection = Reflection([*FROSTGATE, health.SERVICE])
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
        lambda requests, _: map(reflection.respond, requests)
    )
    with futures.ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {METHOD: handler}),))
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield address
        finally:
            server.stop(None).wait()


def test_describe_without_a_symbol_describes_all_services(grpcurl: Grpcurl) -> None:
    described = grpcurl("describe")
    assert [line for line in described.splitlines() if line.endswith(" is a service:")] == [
        f"{service} is a service:" for service in sorted(SERVICES)
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_services_and_methods_that_are_listed_can_be_described(grpcurl: Grpcurl, service: str) -> None:
    assert grpcurl("describe", service).startswith(f"{service} is a service:")
    methods = grpcurl("list", service).split()
    assert methods
    for method in methods:
        assert grpcurl("describe", method).startswith(f"{method} is a method:")


@pytest.mark.parametrize(
    ("symbol", "description"),
    [
        ("frostgate.v1.UnfreezeCustomerRequest", "a message"),
        ("frostgate.v1.UnfreezeCustomerRequest.scope", "a field"),
        ("frostgate.v1.BatchCheckResult.result", "a one-of"),
        ("frostgate.v1.FreezeScope", "an enum"),
        ("frostgate.v1.FREEZE_SCOPE_ACCOUNT", "an enum value"),
        ("grpc.health.v1.HealthCheckResponse.ServingStatus", "an enum"),
        ("grpc.health.v1.HealthCheckResponse.SERVING", "an enum value"),
        ("grpc.reflection.v1.ServerReflectionRequest", "a message"),
        ("grpc.reflection.v1alpha.ServerReflectionRequest", "a message"),
        ("google.rpc.ErrorInfo", "a message"),
        ("google.rpc.ErrorInfo.MetadataEntry", "the entry type for a map field"),
        ("google.rpc.BadRequest.FieldViolation", "a message"),
        ("google.protobuf.Timestamp", "a message"),
    ],
)
def test_each_kind_of_symbol_can_be_described(grpcurl: Grpcurl, symbol: str, description: str) -> None:
    assert f" is {description}:\n" in grpcurl("describe", symbol)


def test_a_symbol_that_does_not_exist_is_refused(server: ServerProcess, tool: Callable[[str], str]) -> None:
    done = run(tool("grpcurl"), "-plaintext", server.address, "describe", "frostgate.v1.CustomerFreezeService.Melt")
    assert done.returncode == 1
    assert "Symbol not found" in done.stderr


@pytest.mark.parametrize("name", [V1, V1ALPHA])
def test_either_name_of_reflection_is_enough(name: str, tool: Callable[[str], str]) -> None:
    with serving_reflection(name) as address:
        ask = partial(output, tool("grpcurl"), "-plaintext", address)
        assert ask("list").split() == sorted(SERVICES)
        assert ask("describe").count(" is a service:\n") == len(SERVICES)
        assert ask("describe", f"{V1}.ServerReflectionInfo").startswith(f"{V1}.ServerReflectionInfo is a method:")
