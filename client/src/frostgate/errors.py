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
    ├── OutcomeUnknown       a change may have been made or not
    └── ClientClosed         the client was closed

A denial is none of them: it is an answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc


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
        sent: False if nothing of the call was sent to a server, in no try. True: it may have been.
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
    `update_partner` or `send_verification_code`, which have no request_id, and of which `sent` is True."""


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


class ClientClosed(FrostgateError):
    """The client is closed, or was closed before a read was answered. Nothing was changed."""


MADE_KNOWN = (InvalidRequest, NotFound, AlreadyExists, RevisionMismatch, FailedPrecondition)
"""What a change is refused with only after the server looked for an earlier answer to the same request."""
