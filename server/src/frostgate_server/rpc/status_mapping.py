"""Errors of the domain to statuses of gRPC: the one table."""

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from frostgate_server.domain import errors, verification_errors
from frostgate_server.domain.errors import FrostgateError

DOMAIN = "frostgate"

CODES: dict[type[FrostgateError], grpc.StatusCode] = {
    errors.InvalidFields: grpc.StatusCode.INVALID_ARGUMENT,
    errors.OperationNotApplicable: grpc.StatusCode.INVALID_ARGUMENT,
    errors.RequestIdReused: grpc.StatusCode.INVALID_ARGUMENT,
    errors.PageTokenInvalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.CustomerNotFound: grpc.StatusCode.NOT_FOUND,
    errors.PartnerNotFound: grpc.StatusCode.NOT_FOUND,
    errors.CustomerAlreadyAssociated: grpc.StatusCode.ALREADY_EXISTS,
    errors.AlreadyFrozen: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotFrozen: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ScopeMismatch: grpc.StatusCode.FAILED_PRECONDITION,
    verification_errors.VerificationCodeRequired: grpc.StatusCode.FAILED_PRECONDITION,
    verification_errors.VerificationCodeInvalid: grpc.StatusCode.PERMISSION_DENIED,
    verification_errors.VerificationRateLimited: grpc.StatusCode.RESOURCE_EXHAUSTED,
    verification_errors.VerificationNotEnabled: grpc.StatusCode.FAILED_PRECONDITION,
    verification_errors.VerificationNotConfigured: grpc.StatusCode.FAILED_PRECONDITION,
    verification_errors.VerificationCodeNotSent: grpc.StatusCode.UNAVAILABLE,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.PartnerMismatch: grpc.StatusCode.PERMISSION_DENIED,
    errors.RevisionNotReached: grpc.StatusCode.UNAVAILABLE,
    errors.StorageUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.OutcomeUnknown: grpc.StatusCode.INTERNAL,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.CallerCancelled: grpc.StatusCode.CANCELLED,
    errors.InternalError: grpc.StatusCode.INTERNAL,
}

_FIELDS = {
    errors.OperationNotApplicable: "operation",
    errors.RequestIdReused: "request_id",
    errors.PageTokenInvalid: "page_token",
}
"""The field that is to blame, for errors that are always one field's."""


def to_status(error: FrostgateError) -> Status:
    """The status: one ErrorInfo always, BadRequest for fields, RetryInfo where coming back later helps."""
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.variables)
    return Status(
        code=CODES[type(error)].value[0],
        message=str(error),
        details=[_packed(detail) for detail in (info, *_more_details(error))],
    )


def _more_details(error: FrostgateError) -> list[BadRequest | RetryInfo]:
    if isinstance(error, errors.InvalidFields):
        violations = [
            BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.violations
        ]
        return [BadRequest(field_violations=violations)]
    if type(error) in _FIELDS:
        violation = BadRequest.FieldViolation(field=_FIELDS[type(error)], description=str(error))
        return [BadRequest(field_violations=[violation])]
    if isinstance(error, errors.Overloaded | verification_errors.VerificationRateLimited):
        retry = RetryInfo()
        retry.retry_delay.FromSeconds(error.retry_after_seconds)
        return [retry]
    return []


def _packed(detail: ErrorInfo | BadRequest | RetryInfo) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
