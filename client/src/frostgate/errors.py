"""Why a call has no answer.

    FrostgateError
    ├── InvalidRequest       the request is malformed: mend it
    ├── NotFound             no such customer or partner
    ├── AlreadyExists        the customer is associated already
    ├── RevisionMismatch     the customer changed since the caller read it
    ├── FailedPrecondition   the state does not permit it, or a verification code is needed
    ├── Unauthenticated      no identity, or a bad one
    ├── PermissionDenied     this caller may not, or not with this code
    ├── ResourceExhausted    too much load, too many codes, or a request too large
    ├── Unavailable          no server answered, or its storage cannot be reached
    ├── DeadlineExceeded     a read was not answered in time
    └── OutcomeUnknown       a change may have been made or not

A denial is none of them: it is an answer.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from .enums import ErrorReason

_DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field of the request: its path, and what would be right."""

    field: str
    description: str


class FrostgateError(Exception):
    """A call has no answer; of this very class where no other fits.

    Attributes:
        code: gRPC's status code.
        reason: the name of the error for programs, such as "ALREADY_FROZEN"; empty where gRPC itself failed the call.
            frostgate.ErrorReason documents them.
        metadata: the values that stand in the message.
        field_violations: what is wrong with the request, field by field.
        retry_after: seconds to wait before another try; None where the server does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        field_violations: Iterable[FieldViolation] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.field_violations = tuple(field_violations)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {super().__str__()}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles and copies without a call of __init__, whose arguments differ between the classes."""
        return _restore, (type(self), self.args, dict(vars(self)))


def _restore(kind: type[FrostgateError], args: tuple[Any, ...], attributes: dict[str, Any]) -> FrostgateError:
    error = kind.__new__(kind, *args)
    vars(error).update(attributes)
    return error


class InvalidRequest(FrostgateError):
    """The request is malformed. `field_violations` names every field."""


class NotFound(FrostgateError):
    """No such customer or partner."""


class AlreadyExists(FrostgateError):
    """The customer is associated with a partner already."""


class RevisionMismatch(FrostgateError):
    """The customer's revision is not the `expected_revision`: it changed since the caller read it. Nothing was changed.

    Read the customer again, and decide again. A retry with the same `expected_revision` is refused again.
    """

    @property
    def customer_id(self) -> str:
        """The customer."""
        return self.metadata["customer_id"]

    @property
    def expected_revision(self) -> int:
        """The revision that the caller expected."""
        return int(self.metadata["expected_revision"])

    @property
    def revision(self) -> int:
        """The customer's revision."""
        return int(self.metadata["revision"])


class FailedPrecondition(FrostgateError):
    """The state does not permit it: ALREADY_FROZEN, NOT_FROZEN, SCOPE_MISMATCH; or it needs a verification code, or no
    code can be sent: VERIFICATION_CODE_REQUIRED, VERIFICATION_NOT_ENABLED, VERIFICATION_NOT_CONFIGURED."""


class Unauthenticated(FrostgateError):
    """The server does not know who calls."""


class PermissionDenied(FrostgateError):
    """This caller may not do this, or not with this code: PERMISSION_DENIED, PARTNER_MISMATCH,
    VERIFICATION_CODE_INVALID."""


class ResourceExhausted(FrostgateError):
    """Too much load, too many verification codes, or a request over the server's limit. Nothing was changed."""


class Unavailable(FrostgateError):
    """No server answered until the deadline, or its storage cannot be reached. Nothing was changed, unless by
    `update_partner` or `send_verification_code`, which have no request_id."""


class DeadlineExceeded(FrostgateError):
    """A read, or a call without a request_id, was not answered in time."""


class OutcomeUnknown(FrostgateError):
    """A change may have been made or not: its answer was lost, or did not come in time.

    Find out by making the same call with `request_id=error.request_id`, within 24 hours: if the change was made, that
    gives its first answer and changes nothing; if not, it makes it now.
    """

    def __init__(self, message: str, *, code: grpc.StatusCode, request_id: str) -> None:
        super().__init__(
            f"{message}. The change may have been made: repeat the call with request_id={request_id!r} to find out",
            code=code,
        )
        self.request_id = request_id


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

MADE_KNOWN = (InvalidRequest, NotFound, AlreadyExists, RevisionMismatch, FailedPrecondition)
"""What a change is refused with only after the server looked for an earlier answer to the same request."""

_MAY_HAVE_BEEN_DONE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
}
"""Codes after which a change may have been made, unless the server itself says why it was not."""

_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class FailedCall(Protocol):
    """What a failed call of grpc and of grpc.aio can be asked."""

    def code(self) -> grpc.StatusCode:
        """The status code."""

    def details(self) -> str | None:
        """The message."""

    def trailing_metadata(self) -> Any:
        """Pairs of names and values."""


def error_of_call(call: grpc.RpcError, request_id: str | None) -> FrostgateError:
    """The error of a failed call. `request_id` is that of a change, None for a read."""
    status = _status(cast(FailedCall, call))
    error = error_of_status(status)
    undone = error.reason not in {"", ErrorReason.INTERNAL, ErrorReason.OUTCOME_UNKNOWN}
    if request_id is not None and error.code in _MAY_HAVE_BEEN_DONE and not undone:
        return OutcomeUnknown(status.message, code=error.code, request_id=request_id)
    return error


def error_of_status(status: Status) -> FrostgateError:
    """The error that a google.rpc.Status tells of: of a failed call, or of one item of a batch."""
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
    """The status that the server sent with the call's end, or one made of what gRPC itself says."""
    plain = Status(code=call.code().value[0], message=call.details() or "")
    for name, value in call.trailing_metadata() or ():
        if name == _DETAILS_KEY:
            with suppress(DecodeError):
                return Status.FromString(value)
    return plain
