"""A partner with verification codes enabled, and the mailbox of its codes."""

import grpc
from frostgate.v1.partner_pb2 import VerificationAction
from support.calls import ACCOUNT, Calls, new_id, refusal
from support.mail_server import MailServer

FREEZE = VerificationAction.VERIFICATION_ACTION_FREEZE


UNFREEZE = VerificationAction.VERIFICATION_ACTION_UNFREEZE


DISASSOCIATE = VerificationAction.VERIFICATION_ACTION_DISASSOCIATE


UPDATE = VerificationAction.VERIFICATION_ACTION_UPDATE_PARTNER


REQUIRED = (grpc.StatusCode.FAILED_PRECONDITION, "VERIFICATION_CODE_REQUIRED")


INVALID = (grpc.StatusCode.PERMISSION_DENIED, "VERIFICATION_CODE_INVALID")


LIMITED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "VERIFICATION_RATE_LIMITED")


class Desk:
    """One partner with codes enabled, and the actions of its staff."""

    def __init__(self, calls: Calls, mails: MailServer) -> None:
        self.calls = calls
        self.mails = mails
        self.partner = new_id()
        self.contact = f"{self.partner}@example.org"
        calls.update_partner(self.partner, verification_code_enabled=True, verification_contact=self.contact)

    def customer(self, state: str = "ACCOUNT_FROZEN") -> str:
        """A customer of this partner, frozen or unfrozen with codes."""
        customer_id = new_id()
        self.calls.associate(customer_id=customer_id, partner_id=self.partner)
        if state == "NORMAL":
            code = self.sent(UNFREEZE, customer_id)
            self.calls.unfreeze(customer_id=customer_id, verification_code=code)
        return customer_id

    def sent(self, action: int, *customer_ids: str, scope: int | None = ACCOUNT) -> str:
        """A code that came by mail."""
        self.calls.send_code(self.partner, action, *customer_ids, scope=scope)
        return self.mails.code(self.contact)


def refused(call: object) -> tuple[grpc.StatusCode, str]:
    found = refusal(call)  # type: ignore[arg-type]
    return found.code, found.reason


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"
