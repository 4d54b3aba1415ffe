"""Converts a failed call, or a failed item of a batch, to an exception."""

from contextlib import suppress
from typing import Any, Protocol, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from .enums import ErrorReason
from .errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    FrostgateError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    ResourceExhausted,
    RevisionMismatch,
    Unauthenticated,
    Unavailable,
)

_DETAILS_KEY = "grpc-status-details-bin"

_KINDS = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}

_MAY_HAVE_BEEN_DONE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
}
"""Codes after which a change may have been made, unless the server sends a reason why it was not."""

_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


_ILLEGAL_METADATA = "Illegal metadata"
"""gRPC's message if the credentials of a call return a header that it cannot send."""

_NO_METADATA = "Getting metadata from plugin failed"
"""The start of gRPC's message if the credentials of a call return no header."""


class FailedCall(Protocol):
    """The methods that a failed call has in grpc and in grpc.aio."""

    def code(self) -> grpc.StatusCode:
        """The status code."""

    def details(self) -> str | None:
        """The message."""

    def trailing_metadata(self) -> Any:
        """Pairs of names and values."""


def error_of_call(call: grpc.RpcError, request_id: str | None) -> FrostgateError:
    """Returns the error of a failed call. `request_id` is that of a change, None for a read."""
    status = _status(cast(FailedCall, call))
    if status.message == _ILLEGAL_METADATA:
        return Unauthenticated(
            "the token cannot be sent: it must be printable ASCII without a newline. Remove white space with "
            "strip(), or use token_file",
            code=grpc.StatusCode.UNAUTHENTICATED,
            sent=False,
        )
    if status.message.startswith(_NO_METADATA):
        return Unavailable(status.message, code=grpc.StatusCode.UNAVAILABLE, sent=False)
    error = error_of_status(status)
    undone = error.reason not in {"", ErrorReason.INTERNAL, ErrorReason.OUTCOME_UNKNOWN}
    if request_id is not None and error.code in _MAY_HAVE_BEEN_DONE and not undone:
        return OutcomeUnknown(status.message, code=error.code, request_id=request_id)
    return error


def error_of_status(status: Status) -> FrostgateError:
    """Converts the google.rpc.Status of a failed call, or of one item of a batch, to an error."""
    info, bad_request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    for detail in status.details:
        for known in (info, bad_request, retry):
            detail.Unpack(known)
    code = _BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
    kind = RevisionMismatch if info.reason == ErrorReason.REVISION_MISMATCH else _KINDS.get(code, FrostgateError)
    return kind(
        status.message,
        code=code,
        reason=info.reason,
        metadata=dict(info.metadata),
        field_violations=[FieldViolation(v.field, v.description) for v in bad_request.field_violations],
        retry_after=retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
    )


def _status(call: FailedCall) -> Status:
    """Returns the status that the server sent, or one made from gRPC's own code and message."""
    plain = Status(code=call.code().value[0], message=call.details() or "")
    for name, value in call.trailing_metadata() or ():
        if name == _DETAILS_KEY:
            with suppress(DecodeError):
                return Status.FromString(value)
    return plain
