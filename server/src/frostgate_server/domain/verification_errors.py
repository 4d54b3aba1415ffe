"""What can go wrong with verification codes. All are FrostgateErrors."""

from .errors import FailedPrecondition, PermissionDenied, ResourceExhausted, Unavailable


class VerificationCodeRequired(FailedPrecondition):
    """The partner wants a verification code for this."""

    reason = "VERIFICATION_CODE_REQUIRED"
    template = (
        "Partner {partner_id} wants a verification code for this: have one sent by SendVerificationCode for {action}, "
        "and give it as verification_code."
    )


class VerificationCodeInvalid(PermissionDenied):
    """The code is not the one that was sent, or was sent for something else, or is used, or too old: nobody is told
    which. `subject` is the partner, for the audit log."""

    reason = "VERIFICATION_CODE_INVALID"
    template = "The verification code is not valid for this: have a new one sent by SendVerificationCode."

    def __init__(self, subject: str) -> None:
        super().__init__()
        self.subject = subject


class VerificationRateLimited(ResourceExhausted):
    """Too many codes were sent to a partner, or too many that were wrong came from it. `what` is "sent",
    "asked for" or "wrong"; `subject` is the partner, for the audit log."""

    reason = "VERIFICATION_RATE_LIMITED"
    template = "Too many verification codes were {what} within an hour. Try again in {retry_after}."

    def __init__(self, what: str, retry_after_seconds: int, subject: str) -> None:
        super().__init__(retry_after_seconds, what=what)
        self.subject = subject


class VerificationNotEnabled(FailedPrecondition):
    """The partner needs no codes."""

    reason = "VERIFICATION_NOT_ENABLED"
    template = "Partner {partner_id} has not enabled verification codes: none is needed."


class VerificationNotConfigured(FailedPrecondition):
    """No mail server is known, so that no code could be sent."""

    reason = "VERIFICATION_NOT_CONFIGURED"
    template = "This deployment has no mail server, and so can send no verification codes."


class VerificationCodeNotSent(Unavailable):
    """The mail server did not take the code, or did not say so. `detail` is for the log, not for the caller."""

    reason = "VERIFICATION_CODE_NOT_SENT"
    template = "The mail server did not confirm that it took the verification code: ask for another one."

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail
