"""Maps errors of the domain to gRPC statuses: one table, with one row for each level of errors."""

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from frostgate_server.domain import errors
from frostgate_server.domain.errors import FrostgateError

DOMAIN = "frostgate"

CODES: dict[type[FrostgateError], grpc.StatusCode] = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Aborted: grpc.StatusCode.ABORTED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Internal: grpc.StatusCode.INTERNAL,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
}


def status_code(kind: type[FrostgateError]) -> grpc.StatusCode:
    """The code of an error's level."""
    return next(CODES[level] for level in kind.__mro__ if level in CODES)


def to_status(error: FrostgateError) -> Status:
    """The status of an error: always an ErrorInfo, a BadRequest for fields, and a RetryInfo for RESOURCE_EXHAUSTED."""
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.variables)
    return Status(
        code=status_code(type(error)).value[0],
        message=str(error),
        details=[_packed(detail) for detail in (info, *_more_details(error))],
    )


def _more_details(error: FrostgateError) -> list[BadRequest | RetryInfo]:
    if isinstance(error, errors.InvalidRequest):
        violations = [BadRequest.FieldViolation(field=v.field, description=v.description) for v in error.violations]
        return [BadRequest(field_violations=violations)]
    if isinstance(error, errors.ResourceExhausted):
        retry = RetryInfo()
        retry.retry_delay.FromSeconds(error.retry_after_seconds)
        return [retry]
    return []


def _packed(detail: ErrorInfo | BadRequest | RetryInfo) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
