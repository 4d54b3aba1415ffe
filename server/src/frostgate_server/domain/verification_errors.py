"""The errors of verification codes. All are FrostgateErrors."""

from .errors import FailedPrecondition, PermissionDenied, ResourceExhausted, Unavailable


class VerificationCodeRequired(FailedPrecondition):
    """The partner requires a verification code for this change."""

    reason = "VERIFICATION_CODE_REQUIRED"
    template = (
        "Partner {partner_id} wants a verification code for this: have one sent by SendVerificationCode for {action}, "
        "and give it as verification_code."
    )


class VerificationCodeInvalid(PermissionDenied):
    """The code is wrong, was sent for another purpose, is used or has expired. The error does not tell which. `subject`
    is the partner, for the audit log."""

    reason = "VERIFICATION_CODE_INVALID"
    template = "The verification code is not valid for this: have a new one sent by SendVerificationCode."

    def __init__(self, subject: str) -> None:
        super().__init__()
        self.subject = subject


class VerificationRateLimited(ResourceExhausted):
    """Too many codes of a partner were sent, asked for or wrong. `what` is "sent", "asked for" or "wrong". `subject` is
    the partner, for the audit log."""

    reason = "VERIFICATION_RATE_LIMITED"
    template = "Too many verification codes were {what} within an hour. Try again in {retry_after}."

    def __init__(self, what: str, retry_after_seconds: int, subject: str) -> None:
        super().__init__(retry_after_seconds, what=what)
        self.subject = subject


class VerificationCodeBeingSent(ResourceExhausted):
    """Another code is being sent to the partner."""

    reason = "OVERLOADED"
    template = "Another verification code is being sent to this partner. Try again in {retry_after}."


class VerificationNotEnabled(FailedPrecondition):
    """The partner has not enabled codes."""

    reason = "VERIFICATION_NOT_ENABLED"
    template = "Partner {partner_id} has not enabled verification codes: none is needed."


class VerificationNotConfigured(FailedPrecondition):
    """No mail server is configured, so no code can be sent."""

    reason = "VERIFICATION_NOT_CONFIGURED"
    template = "This deployment has no mail server, and so can send no verification codes."


class VerificationCodeNotSent(Unavailable):
    """The mail server did not confirm that it accepted the code. `detail` is for the log, not for the caller."""

    reason = "VERIFICATION_CODE_NOT_SENT"
    template = "The mail server did not confirm that it took the verification code: ask for another one."

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail
