"""The text of a mail with a verification code."""

from datetime import datetime

from frostgate_server.domain.enums import VerificationAction
from frostgate_server.domain.verification_code import Purpose

_MOST_NAMED = 10
"""The largest number of customers that a mail names."""

_WHAT = {
    VerificationAction.FREEZE: "freeze",
    VerificationAction.UNFREEZE: "unfreeze",
    VerificationAction.DISASSOCIATE: "end the association of",
    VerificationAction.UPDATE_PARTNER: "change the verification settings",
}


def body(code: str, purpose: Purpose, expire_time: datetime) -> str:
    """The text of a mail."""
    return (
        f"A caller asks to {_described(purpose)}, on behalf of partner {purpose.partner_id}.\n"
        f"\n"
        f"Verification code: {code}\n"
        f"\n"
        f"The code is valid once, for this request only, until {expire_time:%Y-%m-%d %H:%M:%S} UTC.\n"
        f"If your organization did not ask for it, do not give it to anyone.\n"
    )


def _described(purpose: Purpose) -> str:
    what = _WHAT[purpose.action]
    if not purpose.customer_ids:
        return what
    named = ", ".join(purpose.customer_ids[:_MOST_NAMED])
    more = len(purpose.customer_ids) - _MOST_NAMED
    scope = f", scope {purpose.scope.name}" if purpose.scope else ""
    return f"{what} {named}{f' and {more} more' if more > 0 else ''}{scope}"
