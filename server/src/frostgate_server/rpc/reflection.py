"""Server reflection, for tools such as grpcurl, under its current name (v1) and its earlier one (v1alpha).

`Reflection` does not depend on a transport: it answers one serialized request with one serialized response. If
grpcio-reflection finds a symbol, the answer has the same bytes. `Reflection` also finds methods and the v1 service.
"""

from collections.abc import Iterable

import grpc
from google.protobuf import text_format
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection_pb2 as pb

from .methods import METHODS

V1 = "grpc.reflection.v1.ServerReflection"
"""Its messages have the same bytes as those of v1alpha. Only the name of the package differs."""

V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"

METHOD = "ServerReflectionInfo"


class Reflection:
    """Answers reflection requests about the services of a server. Threads may share it."""

    def __init__(self, services: Iterable[ServiceDescriptor]) -> None:
        """Lists the services and reflection itself. Describes their files and the file of error details."""
        described = list(services)
        names = sorted([*(service.full_name for service in described), V1, V1ALPHA])
        listed = pb.ListServiceResponse(service=[pb.ServiceResponse(name=name) for name in names])
        self._services = pb.ServerReflectionResponse(list_services_response=listed).SerializeToString()
        self._pool = DescriptorPool()
        for file in (*(service.file for service in described), error_details_pb2.DESCRIPTOR, pb.DESCRIPTOR):
            _add_with_dependencies(self._pool, file)
        self._pool.AddSerializedFile(_v1_file().SerializeToString())
        self._files: dict[str, bytes] = {}

    def respond(self, serialized: bytes) -> bytes:
        """The response to a request. A malformed or too large request gets an error as its response."""
        request = _parse(serialized)
        try:
            response = self._respond(request)
        except KeyError:
            response = _error(grpc.StatusCode.NOT_FOUND)
        # Two concatenated serialized messages are one message with the fields of both.
        return pb.ServerReflectionResponse(original_request=request).SerializeToString() + response

    def _respond(self, request: pb.ServerReflectionRequest) -> bytes:
        """The response without its request. Raises KeyError if the name or number is not found."""
        match request.WhichOneof("message_request"):
            case "list_services":
                return self._services
            case "file_by_filename":
                return self._describe(self._pool.FindFileByName(request.file_by_filename))
            case "file_containing_symbol":
                return self._describe(self._find_symbol(request.file_containing_symbol))
            case "file_containing_extension":
                return self._describe(self._find_extension(request.file_containing_extension))
            case "all_extension_numbers_of_type":
                return self._extension_numbers(request.all_extension_numbers_of_type)
            case _:
                return _error(grpc.StatusCode.INVALID_ARGUMENT)

    def _find_symbol(self, name: str) -> FileDescriptor:
        try:
            return self._pool.FindFileContainingSymbol(name)
        except KeyError:
            # The pool does not accept the name of a method as a symbol.
            return self._pool.FindMethodByName(name).containing_service.file

    def _find_extension(self, wanted: pb.ExtensionRequest) -> FileDescriptor:
        extended = self._pool.FindMessageTypeByName(wanted.containing_type)
        extension = self._pool.FindExtensionByNumber(extended, wanted.extension_number)
        return self._pool.FindFileContainingSymbol(extension.full_name)

    def _extension_numbers(self, type_name: str) -> bytes:
        extended = self._pool.FindMessageTypeByName(type_name)
        numbers = sorted(extension.number for extension in self._pool.FindAllExtensions(extended))
        found = pb.ExtensionNumberResponse(base_type_name=extended.full_name, extension_number=numbers)
        return pb.ServerReflectionResponse(all_extension_numbers_response=found).SerializeToString()

    def _describe(self, file: FileDescriptor) -> bytes:
        """A file and all its dependencies. Each response is serialized once and kept: the pool has about 12 files."""
        if file.name not in self._files:
            needed: dict[str, bytes] = {}
            _collect(file, needed)
            found = pb.FileDescriptorResponse(file_descriptor_proto=needed.values())
            self._files[file.name] = pb.ServerReflectionResponse(file_descriptor_response=found).SerializeToString()
        return self._files[file.name]


def _parse(serialized: bytes) -> pb.ServerReflectionRequest:
    """Parses a request. A malformed or too large one gives an empty request, which is invalid."""
    try:
        if len(serialized) <= METHODS[METHOD].largest_request:
            return pb.ServerReflectionRequest.FromString(serialized)
    except DecodeError:
        pass
    return pb.ServerReflectionRequest()


def _error(code: grpc.StatusCode) -> bytes:
    number, name = code.value
    error = pb.ErrorResponse(error_code=number, error_message=name)
    return pb.ServerReflectionResponse(error_response=error).SerializeToString()


def _add_with_dependencies(pool: DescriptorPool, file: FileDescriptor) -> None:
    """Adds a file and its dependencies. Some of them may be in the pool already."""
    for dependency in file.dependencies:
        _add_with_dependencies(pool, dependency)
    pool.AddSerializedFile(file.serialized_pb)


def _collect(file: FileDescriptor, needed: dict[str, bytes]) -> None:
    """Adds a file and then all its dependencies, serialized."""
    needed[file.name] = file.serialized_pb
    for dependency in file.dependencies:
        _collect(dependency, needed)


def _v1_file() -> FileDescriptorProto:
    """The file of reflection v1, made from the file of v1alpha. grpcio-reflection has only v1alpha."""
    v1alpha = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(v1alpha)
    v1 = text_format.Parse(text_format.MessageToString(v1alpha).replace("v1alpha", "v1"), FileDescriptorProto())
    v1.options.ClearField("deprecated")
    return v1
