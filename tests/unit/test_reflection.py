"""Reflection without a transport: it has the bytes of grpcio-reflection, and finds symbols that this one misses."""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from unittest.mock import Mock

import grpc
import pytest
from frostgate.v1.customer_freeze_service_pb2 import DESCRIPTOR as FREEZES
from frostgate.v1.policy_decision_service_pb2 import DESCRIPTOR as DECISIONS
from frostgate_server.rpc import health
from frostgate_server.rpc.reflection import V1, V1ALPHA, Reflection
from google.protobuf.descriptor import Descriptor, FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc.error_details_pb2 import DESCRIPTOR as ERROR_DETAILS
from grpc_reflection.v1alpha.reflection import ReflectionServicer
from grpc_reflection.v1alpha.reflection_pb2 import DESCRIPTOR as V1ALPHA_FILE
from grpc_reflection.v1alpha.reflection_pb2 import (
    ExtensionRequest,
    ServerReflectionRequest,
    ServerReflectionResponse,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.runner.sizes import size

SERVICES = [
    DECISIONS.services_by_name["PolicyDecisionService"],
    FREEZES.services_by_name["CustomerFreezeService"],
    health.SERVICE,
]

NOT_FOUND, INVALID_ARGUMENT = (code.value[0] for code in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT))

reflection = Reflection(SERVICES)
servicer = ReflectionServicer([*(service.full_name for service in SERVICES), V1, V1ALPHA])


def respond(**request: Any) -> ServerReflectionResponse:
    serialized = ServerReflectionRequest(**request).SerializeToString()
    return ServerReflectionResponse.FromString(reflection.respond(serialized))


def assert_same(ours: Reflection, theirs: ReflectionServicer, **fields: Any) -> ServerReflectionResponse:
    """Both answer with the same bytes. Gives the answer."""
    request = ServerReflectionRequest(**fields)
    expected: ServerReflectionResponse = next(theirs.ServerReflectionInfo(iter([request]), Mock()))
    assert ours.respond(request.SerializeToString()) == expected.SerializeToString()
    return expected


def with_dependencies(file: FileDescriptor) -> Iterator[FileDescriptor]:
    yield file
    for dependency in file.dependencies:
        yield from with_dependencies(dependency)


def symbols_of_message(message: Descriptor) -> Iterator[str]:
    yield message.full_name
    yield from (f"{message.full_name}.{name}" for name in (*message.fields_by_name, *message.oneofs_by_name))
    for enum in message.enum_types:
        yield from (enum.full_name, *(f"{message.full_name}.{value}" for value in enum.values_by_name))
    for nested in message.nested_types:
        yield from symbols_of_message(nested)


def symbols_of(file: FileDescriptor) -> Iterator[str]:
    """All symbols of a file but its methods."""
    yield from (service.full_name for service in file.services_by_name.values())
    for enum in file.enum_types_by_name.values():
        yield from (enum.full_name, *(f"{file.package}.{value}" for value in enum.values_by_name))
    yield from (extension.full_name for extension in file.extensions_by_name.values())
    yield from chain.from_iterable(map(symbols_of_message, file.message_types_by_name.values()))


FILES = {
    file.name: file
    for described in (*(service.file for service in SERVICES), V1ALPHA_FILE, ERROR_DETAILS)
    for file in with_dependencies(described)
}

METHODS = [
    method.full_name
    for file in FILES.values()
    for service in file.services_by_name.values()
    for method in service.methods
]


def files_in(response: ServerReflectionResponse) -> DescriptorPool:
    """A pool with the described files alone. Raises TypeError if a file is missing that another one needs."""
    pool = DescriptorPool()
    for serialized in reversed(response.file_descriptor_response.file_descriptor_proto):
        pool.AddSerializedFile(serialized)
    return pool


def test_all_services_are_listed_reflection_included() -> None:
    listed = [service.name for service in respond(list_services="*").list_services_response.service]
    assert listed == [
        "frostgate.v1.CustomerFreezeService",
        "frostgate.v1.PolicyDecisionService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ]


@pytest.mark.parametrize("file", FILES.values(), ids=lambda file: file.name)
def test_files_and_their_symbols_are_described_with_the_bytes_of_grpcio(file: FileDescriptor) -> None:
    by_name = assert_same(reflection, servicer, file_by_filename=file.name)
    assert by_name.HasField("file_descriptor_response")
    symbols = list(symbols_of(file))
    assert symbols
    for symbol in symbols:
        described = assert_same(reflection, servicer, host="any", file_containing_symbol=symbol)
        assert described.file_descriptor_response == by_name.file_descriptor_response, symbol


@pytest.mark.parametrize("method", [*METHODS, f"{V1}.ServerReflectionInfo"])
def test_a_method_is_described_with_its_service(method: str) -> None:
    described = respond(file_containing_symbol=method)
    assert (
        described.file_descriptor_response
        == respond(file_containing_symbol=method.rpartition(".")[0]).file_descriptor_response
    )
    assert described.original_request.file_containing_symbol == method
    first = FileDescriptorProto.FromString(described.file_descriptor_response.file_descriptor_proto[0])
    assert method in {f"{first.package}.{s.name}.{m.name}" for s in first.service for m in s.method}


def test_the_present_reflection_is_the_earlier_one_in_another_package() -> None:
    v1, v1alpha = (
        FileDescriptorProto.FromString(
            respond(file_containing_symbol=name).file_descriptor_response.file_descriptor_proto[0]
        )
        for name in (V1, V1ALPHA)
    )
    assert (v1.package, v1.name) == ("grpc.reflection.v1", "grpc_reflection/v1/reflection.proto")
    assert v1.options.go_package == "google.golang.org/grpc/reflection/grpc_reflection_v1"
    assert (v1alpha.options.deprecated, v1.options.deprecated) == (True, False)
    assert [message.name for message in v1.message_type] == [message.name for message in v1alpha.message_type]
    assert "v1alpha" not in str(v1)
    service: ServiceDescriptor = files_in(respond(file_by_filename=v1.name)).FindServiceByName(V1)
    (method,) = service.methods
    assert method.input_type.full_name == "grpc.reflection.v1.ServerReflectionRequest"
    numbers = {
        field.name: field.number for field in V1ALPHA_FILE.message_types_by_name["ServerReflectionResponse"].fields
    }
    assert {field.name: field.number for field in method.output_type.fields} == numbers


@pytest.mark.parametrize(
    "request_fields",
    [
        {"file_by_filename": "frostgate/v1/none.proto"},
        {"file_by_filename": ""},
        {"file_containing_symbol": "frostgate.v1.None"},
        {"file_containing_symbol": "frostgate.v1"},
        {"file_containing_symbol": "frostgate.v1.CustomerFreezeService.MeltCustomer"},
        {"file_containing_symbol": ""},
        {"file_containing_symbol": ".."},
        {"file_containing_symbol": "a\0b"},
        {"all_extension_numbers_of_type": "frostgate.v1.None"},
        {"file_containing_extension": ExtensionRequest(containing_type="frostgate.v1.Customer", extension_number=7)},
        {"file_containing_extension": ExtensionRequest(containing_type="frostgate.v1.Customer", extension_number=-1)},
        {"file_containing_extension": ExtensionRequest()},
    ],
    ids=str,
)
def test_nothing_is_found_where_there_is_nothing(request_fields: dict[str, Any]) -> None:
    refused = assert_same(reflection, servicer, host="any", **request_fields)
    assert refused.error_response.error_code == NOT_FOUND


def test_a_request_that_asks_for_nothing_is_invalid() -> None:
    assert assert_same(reflection, servicer, host="any").error_response.error_code == INVALID_ARGUMENT


@pytest.mark.parametrize(
    "serialized",
    [
        b"\xff\xff",
        b"\x22\x05ab",
        b"\x22\x02\xff\xfe",
        ServerReflectionRequest(list_services="*" * 2**16).SerializeToString(),
    ],
    ids=["no protobuf", "cut short", "no UTF-8", "too large"],
)
def test_bytes_that_are_no_request_are_invalid(serialized: bytes) -> None:
    refused = ServerReflectionResponse.FromString(reflection.respond(serialized))
    assert refused.error_response.error_code == INVALID_ARGUMENT
    assert refused.original_request == ServerReflectionRequest()


def file_with_extensions() -> FileDescriptor:
    """A file with a service and two extensions of its message."""
    file = FileDescriptorProto(name="extended.proto", package="extended", syntax="proto2")
    file.message_type.add(name="Base").extension_range.add(start=100, end=200)
    for number in (150, 120):
        file.extension.add(
            name=f"number_{number}",
            number=number,
            extendee=".extended.Base",
            type=FieldDescriptorProto.TYPE_INT32,
            label=FieldDescriptorProto.LABEL_OPTIONAL,
        )
    file.service.add(name="Service").method.add(name="Call", input_type=".extended.Base", output_type=".extended.Base")
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(file.name)


def test_extensions_are_found_by_number_and_by_name() -> None:
    file = file_with_extensions()
    ours = Reflection([file.services_by_name["Service"]])
    theirs = ReflectionServicer(["extended.Service", V1, V1ALPHA], file.pool)
    numbers = assert_same(ours, theirs, all_extension_numbers_of_type="extended.Base")
    assert numbers.all_extension_numbers_response.extension_number == [120, 150]
    wanted = ExtensionRequest(containing_type="extended.Base", extension_number=150)
    assert assert_same(ours, theirs, file_containing_extension=wanted).HasField("file_descriptor_response")
    assert assert_same(ours, theirs, file_containing_symbol="extended.number_120").HasField("file_descriptor_response")


NAMES = st.sampled_from([*FILES, *METHODS, *chain.from_iterable(map(symbols_of, FILES.values()))])


@pytest.mark.long
@settings(max_examples=size(short=100, long=20_000))
@given(st.binary(max_size=60) | st.builds(bytes.__add__, st.just(b"\x22"), st.binary(max_size=60)))
def test_whatever_bytes_come_there_is_a_response(serialized: bytes) -> None:
    response = ServerReflectionResponse.FromString(reflection.respond(serialized))
    assert response.HasField("original_request")
    assert response.WhichOneof("message_response")


@pytest.mark.long
@settings(max_examples=size(short=100, long=20_000))
@given(
    NAMES | st.text(max_size=40), st.sampled_from(["file_by_filename", "file_containing_symbol"]), st.text(max_size=5)
)
def test_whatever_is_asked_for_the_response_repeats_the_request(name: str, kind: str, host: str) -> None:
    fields: dict[str, Any] = {"host": host, kind: name}
    response = respond(**fields)
    assert response.original_request == ServerReflectionRequest(**fields)
    assert response.valid_host == ""
    assert response.WhichOneof("message_response")
