"""Calls in bytes: they take a serialized request, and return everything that the caller receives."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from frostgate.v1 import customer_freeze_service_pb2, policy_decision_service_pb2
from google.protobuf import text_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from support.processes import PATIENCE

DETAILS = "grpc-status-details-bin"
WORKER = "frostgate-worker"
TIMEOUT = PATIENCE
"""Seconds."""

METHODS: dict[str, MethodDescriptor] = {
    method.name: method
    for file in (customer_freeze_service_pb2.DESCRIPTOR, policy_decision_service_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
}
"""The methods of both services by name."""

_DETAILS_CLASSES = (BadRequest, ErrorInfo, RetryInfo)
"""The details of a status. The import registers them, so that a status is shown with its details in text format."""


@dataclass(frozen=True)
class Answer:
    """Everything that the caller receives.

    `code` is the name of the status code, `message` the details string. `content` is the serialized response of an OK
    call, and the serialized google.rpc.Status of another. `worker` is the trailing metadata that names the worker.
    """

    code: str
    message: str
    content: bytes
    worker: str

    @property
    def is_ok(self) -> bool:
        """Whether the call succeeded."""
        return self.code == "OK"


def full_name(method: str) -> str:
    """The full name of a method: frostgate.v1.CustomerFreezeService/FreezeCustomer."""
    return f"{METHODS[method].containing_service.full_name}/{method}"


def method_of(request: Message) -> str:
    """The method that takes a request of this type."""
    return request.DESCRIPTOR.name.removesuffix("Request")


def request_class(method: str) -> type[Message]:
    """The class of the method's requests."""
    return GetMessageClass(METHODS[method].input_type)


def call(channel: grpc.Channel, method: str, request: bytes, metadata: Any = None) -> Answer:
    """Calls a method by its name."""
    function: Any = channel.unary_unary(f"/{full_name(method)}", None, None)
    try:
        content, done = function.with_call(request, timeout=TIMEOUT, metadata=metadata)
    except grpc.RpcError as error:
        content, done = None, error
    trailers = dict(done.trailing_metadata() or ())
    if content is None:
        content = trailers.pop(DETAILS, b"")
    worker = trailers.pop(WORKER, "")
    assert not trailers, f"{method} has other trailing metadata: {trailers}"
    code = done.code().name
    return Answer(code, done.details() or "", with_sorted_metadata(method, code, content), worker)


def message_of(method: str, code: str, content: bytes) -> Any:
    """The response of an OK call, or the status of another."""
    return (GetMessageClass(METHODS[method].output_type) if code == "OK" else Status).FromString(content)


def with_sorted_metadata(method: str, code: str, content: bytes) -> bytes:
    """The same bytes, with the entries of each ErrorInfo.metadata in the order of their keys.

    Protobuf serializes the entries of a map in an order that differs from process to process. The length of the bytes
    stays the same.
    """
    for value in _error_infos(message_of(method, code, content)):
        ordered = ErrorInfo.FromString(value).SerializeToString(deterministic=True)
        assert len(ordered) == len(value)
        content = content.replace(value, ordered)
    return content


def _error_infos(message: Any) -> Iterator[bytes]:
    """The serialized ErrorInfo of a status, or of each status in a batch."""
    if not isinstance(message, Status):
        for result in getattr(message, "results", ()):
            if result.HasField("error"):
                yield from _error_infos(result.error)
        return
    for detail in message.details:
        if detail.Is(ErrorInfo.DESCRIPTOR):
            yield detail.value


def reason_of(answer: Answer) -> str:
    """The reason in the ErrorInfo of a failed call."""
    info = ErrorInfo()
    assert Status.FromString(answer.content).details[0].Unpack(info), answer
    return str(info.reason)


def reasons_in(method: str, code: str, content: bytes) -> set[str]:
    """The reasons in the ErrorInfo of a failed call, or of each failed item of a batch."""
    return {str(ErrorInfo.FromString(value).reason) for value in _error_infos(message_of(method, code, content))}


def one_line(message: Message) -> str:
    """A message in text format, on one line."""
    return text_format.MessageToString(message, as_one_line=True, as_utf8=True)


def described(method: str, answer: Answer) -> str:
    """An answer for people: the code, the details string, and the content in text format."""
    message = text_format.MessageToString(message_of(method, answer.code, answer.content), as_utf8=True)
    return f"{answer.code} {answer.message!r} from worker {answer.worker!r}\n{message}{answer.content.hex()}"
