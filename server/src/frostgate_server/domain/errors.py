"""The errors of calls, in levels: one level for each kind of status.

    FrostgateError
    ├── InvalidRequest       InvalidFields, OperationNotApplicable, RequestIdReused, PageTokenInvalid
    ├── NotFound             in customer_errors
    ├── AlreadyExists        in customer_errors
    ├── FailedPrecondition   in customer_errors, verification_errors
    ├── Aborted              in customer_errors
    ├── Unauthenticated
    ├── PermissionDenied     MethodNotPermitted, PartnerMismatch; in verification_errors
    ├── ResourceExhausted    Overloaded, CallerLimitReached, TooManyStreams, KeptAnswersFull; in verification_errors
    ├── Unavailable          StorageUnavailable, RevisionNotReached; in verification_errors
    ├── Internal             InternalError, OutcomeUnknown
    └── Cancelled            CallerCancelled

A StartupError keeps the server from starting: it answers no call and is not part of this tree.
"""

from dataclasses import dataclass
from typing import ClassVar


class StartupError(Exception):
    """The server cannot start. The message is one line that says why and what to do next."""


class FrostgateError(Exception):
    """A call cannot be answered.

    `reason` names the error for programs. `template` is the message for people. `variables` fill the template: no other
    value goes into the message. `detail` is only for the log. `subject` is the customer or partner, for the audit log.
    """

    reason: ClassVar[str]
    template: ClassVar[str]
    detail: str = ""
    subject: str = ""

    def __init__(self, **variables: str) -> None:
        super().__init__(self.template.format(**variables))
        self.variables = variables


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """The violation of one field: its path in the request, and a description of the problem and of a valid value."""

    field: str
    description: str


class InvalidRequest(FrostgateError):
    """The request is malformed. `violations` names the fields: only `field`, unless a subclass sets more."""

    field: ClassVar[str] = ""

    def __init__(self, **variables: str) -> None:
        super().__init__(**variables)
        self.violations: tuple[FieldViolation, ...] = (FieldViolation(self.field, str(self)),)


class NotFound(FrostgateError):
    """There is no such customer or partner."""


class AlreadyExists(FrostgateError):
    """The object exists already."""


class FailedPrecondition(FrostgateError):
    """The state does not permit the change."""


class Aborted(FrostgateError):
    """Another change came first."""


class PermissionDenied(FrostgateError):
    """The caller may not do this."""


class ResourceExhausted(FrostgateError):
    """A limit is reached. The caller can retry after `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: int, **variables: str) -> None:
        super().__init__(retry_after=f"{retry_after_seconds} s", **variables)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(FrostgateError):
    """The answer cannot be given now. Nothing was changed."""


class Internal(FrostgateError):
    """The server failed."""


class Cancelled(FrostgateError):
    """The call has ended."""


class InvalidFields(InvalidRequest):
    """Fields of the request are malformed. It names as many of them as a status can hold, items of lists last."""

    reason = "INVALID_FIELD"
    template = "Invalid request: {fields}"
    most_named = 25
    """The most fields that a status names. A status is sent in headers, which are limited to some kilobytes."""
    _most_in_message = 3

    def __init__(self, violations: list[FieldViolation]) -> None:
        ordered = sorted(violations, key=lambda violation: "[" in violation.field)
        in_message = [f"{v.field}: {v.description}" for v in ordered[: self._most_in_message]]
        if len(ordered) > len(in_message):
            in_message.append(f"and {len(ordered) - len(in_message)} more")
        super().__init__(fields="; ".join(in_message))
        self.violations = tuple(ordered[: self.most_named])


class OperationNotApplicable(InvalidRequest):
    """The operation does not exist for the billing mode."""

    reason = "OPERATION_NOT_APPLICABLE"
    field = "operation"
    template = "Operation {operation} does not exist for billing mode {billing_mode}."


class RequestIdReused(InvalidRequest):
    """The request id was used before, for other content."""

    reason = "REQUEST_ID_REUSED"
    field = "request_id"
    template = "The request_id {request_id} was used before with other content: take a new one."


class PageTokenInvalid(InvalidRequest):
    """The page token is malformed or was made with other filters."""

    reason = "PAGE_TOKEN_INVALID"
    field = "page_token"
    template = "The page_token is not one of this listing with these filters: start again without one."


class Unauthenticated(FrostgateError):
    """The caller sends no valid credential. `wanted` describes a valid one. The error does not tell the caller what was
    wrong."""

    reason = "UNAUTHENTICATED"
    template = "The caller must identify itself: {wanted}."


class MethodNotPermitted(PermissionDenied):
    """The caller is authenticated, but has no role that includes this call. `known` tells whether it has any role."""

    reason = "PERMISSION_DENIED"
    template = "{principal} may not call {method}."

    def __init__(self, principal: str, method: str, *, known: bool) -> None:
        super().__init__(principal=principal, method=method)
        self.known = known


class PartnerMismatch(PermissionDenied):
    """The caller is bound to partners, and this is another partner, a customer of another partner, or an unknown
    customer. `subject` is the customer or partner, for the audit log."""

    reason = "PARTNER_MISMATCH"
    template = "This is none of the caller's partners, and no customer of theirs."

    def __init__(self, subject: str) -> None:
        super().__init__()
        self.subject = subject


class RevisionNotReached(Unavailable):
    """The caller asks for a later revision than this node has."""

    reason = "REVISION_NOT_REACHED"
    template = "Revision {minimum_revision} is not reached: this node is at revision {revision}."


class Overloaded(ResourceExhausted):
    """Too many calls are waiting."""

    reason = "OVERLOADED"
    template = "Too many calls are waiting. Try again in {retry_after}."


class CallerLimitReached(ResourceExhausted):
    """The caller has reached its own limit, of calls in progress or of calls in a second."""

    reason = "OVERLOADED"
    template = (
        "The caller has reached its limit of calls in progress or of calls in a second. Try again in {retry_after}."
    )


class TooManyStreams(ResourceExhausted):
    """As many streams of one kind are open as the server permits."""

    reason = "OVERLOADED"
    template = "Too many streams are open. Try again in {retry_after}."


class KeptAnswersFull(ResourceExhausted):
    """The answers that are kept for the request_ids of a caller have reached its limit."""

    reason = "OVERLOADED"
    template = (
        "The answers kept for the request_ids of {principal} exceed the setting caller_kept_megabytes, {megabytes}: "
        "the oldest are deleted in {retry_after}."
    )

    def __init__(self, retry_after_seconds: int, principal: str, megabytes: int) -> None:
        super().__init__(retry_after_seconds, principal=principal, megabytes=str(megabytes))


class StorageUnavailable(Unavailable):
    """The storage cannot be reached, is full, busy or damaged. `detail` is for the log, not for the caller."""

    reason = "STORAGE_UNAVAILABLE"
    template = "The storage is unavailable."

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail


class OutcomeUnknown(Internal):
    """The change may have been made: an error occurred while it was made durable. `detail` is for the log."""

    reason = "OUTCOME_UNKNOWN"
    template = "The change may have been made: repeat it with its request_id to find out."

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail


class CallerCancelled(Cancelled):
    """The caller no longer waits: the call was cancelled or its deadline has passed. Nothing was changed."""

    reason = "INTERNAL"
    template = "The caller no longer waits."


class InternalError(Internal):
    """An unexpected exception. The log has it under the call_id."""

    reason = "INTERNAL"
    template = "Internal error. The server's log has the details under call_id {call_id}."
