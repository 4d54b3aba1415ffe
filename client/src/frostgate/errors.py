"""The exceptions of the client. A call without an answer raises one of them.

    FrostgateError
    ├── InvalidRequest       the request is malformed: correct it
    ├── NotFound             no such customer or partner
    ├── AlreadyExists        the customer is associated already
    ├── RevisionMismatch     the customer changed since the caller read it
    ├── FailedPrecondition   the state does not permit it, or a verification code is needed
    ├── Unauthenticated      the caller has no valid identity
    ├── PermissionDenied     the caller may not make this call, or the verification code is wrong
    ├── ResourceExhausted    too much load, too many codes, or too large a request
    ├── Unavailable          no server answered, or its storage cannot be reached
    ├── DeadlineExceeded     a read was not answered in time
    ├── OutcomeUnknown       a change may have been made or not
    └── ClientClosed         the client was closed

A denial is an answer, not an exception.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """An invalid field of the request: its path, and a description of the problem."""

    field: str
    description: str


class FrostgateError(Exception):
    """A call has no answer. The base class, also used where no subclass fits.

    Attributes:
        code: the gRPC status code.
        reason: the name of the error for programs, such as "ALREADY_FROZEN". Empty if gRPC itself failed the call.
            frostgate.ErrorReason documents the names.
        metadata: the values in the message.
        field_violations: the invalid fields of the request.
        retry_after: seconds to wait before a retry. None if the server does not set it.
        sent: False if no try sent anything to a server. True if the call may have been sent.
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
        sent: bool = True,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.field_violations = tuple(field_violations)
        self.retry_after = retry_after
        self.sent = sent

    def __str__(self) -> str:
        not_sent = "" if self.sent else ". Nothing was sent"
        return f"{self.reason or self.code.name}: {super().__str__()}{not_sent}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles and copies without calling __init__, because its arguments differ between the classes."""
        return _restore, (type(self), self.args, dict(vars(self)))


def _restore(kind: type[FrostgateError], args: tuple[Any, ...], attributes: dict[str, Any]) -> FrostgateError:
    error = kind.__new__(kind, *args)
    vars(error).update(attributes)
    return error


class InvalidRequest(FrostgateError):
    """The request is malformed. `field_violations` lists the invalid fields."""


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
    """The state does not permit the call: ALREADY_FROZEN, NOT_FROZEN, SCOPE_MISMATCH.

    Or the call needs a verification code, or no code can be sent: VERIFICATION_CODE_REQUIRED, VERIFICATION_NOT_ENABLED,
    VERIFICATION_NOT_CONFIGURED.
    """


class Unauthenticated(FrostgateError):
    """The caller has no valid identity: its certificate or token is missing, invalid or expired."""


class PermissionDenied(FrostgateError):
    """The caller may not make this call: PERMISSION_DENIED, PARTNER_MISMATCH. Or the verification code is wrong:
    VERIFICATION_CODE_INVALID."""


class ResourceExhausted(FrostgateError):
    """Too much load, too many verification codes, or a request over the server's limit. Nothing was changed."""


class Unavailable(FrostgateError):
    """No server answered before the deadline, or its storage cannot be reached. Nothing was changed.

    Exception: `update_partner` and `send_verification_code` have no request_id. If `sent` is True, such a call may have
    been carried out.
    """


class DeadlineExceeded(FrostgateError):
    """A read, or a call without a request_id, was not answered in time."""


class OutcomeUnknown(FrostgateError):
    """A change may have been made or not: its answer was lost, or did not come in time.

    To find out, repeat the same call with `request_id=error.request_id` within 24 hours. If the change was made, the
    call returns the first answer and changes nothing. If not, the call makes the change now.
    """

    def __init__(self, message: str, *, code: grpc.StatusCode, request_id: str) -> None:
        super().__init__(
            f"{message}. The change may have been made: repeat the call with request_id={request_id!r} to find out",
            code=code,
        )
        self.request_id = request_id


class ClientClosed(FrostgateError):
    """The client is closed, or was closed before a read was answered. Nothing was changed."""


MADE_KNOWN = (InvalidRequest, NotFound, AlreadyExists, RevisionMismatch, FailedPrecondition)
"""Errors of a change that the server returns only after it has looked for a stored answer to the same request_id."""
