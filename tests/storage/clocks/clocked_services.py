"""The use cases on a clock that a test moves, and a mailbox."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.enums import FreezeScope, VerificationAction
from frostgate_server.domain.errors import FrostgateError
from frostgate_server.domain.partner import PartnerUpdate
from frostgate_server.domain.verification_code import CodeKey, CodeLimits, Purpose
from frostgate_server.services.code_verifier import CodeVerifier
from frostgate_server.services.commands import AssociateCommand, ChangeCommand, UnfreezeCommand
from frostgate_server.services.customer_queries import CustomerQueries
from frostgate_server.services.customer_service import CustomerService
from frostgate_server.services.partner_service import PartnerService
from frostgate_server.storage.interface import Store
from support.subjects import NoRefusals

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""The true time."""

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
JUMPS = [SECOND, 30 * MINUTE, HOUR, HOUR + SECOND, DAY, 2 * DAY, 365 * DAY]
"""How far a clock is wrong."""

RETENTION = timedelta(days=15)
PURPOSE = Purpose.of("p", VerificationAction.UNFREEZE, ["c"], FreezeScope.ACCOUNT)


class ClockedServices:
    """The services, the partner "p" with codes enabled, and its customer "c", whose account is frozen."""

    caller = Caller(waits=lambda: True)

    def __init__(self, store: Store) -> None:
        self.now = NOW
        self.store = store
        self.mailed: list[str] = []
        self.mail_server_refuses = False
        self.verifier = CodeVerifier(store, CodeKey(b"k" * 32), CodeLimits(), self.clock)
        self.customers = CustomerService(store, self.verifier, NoRefusals(), RETENTION, self.clock, kept_megabytes=1)
        self.partners = PartnerService(store, self.verifier, self, self.clock)
        self.queries = CustomerQueries(store, self.clock)
        self.change(AssociateCommand(customer_ids=("c",), partner_id="p"))
        self.enable_codes()

    def clock(self) -> datetime:
        """The time that the services are told."""
        return self.now

    def send(self, _: str, code: str, __: Purpose, ___: datetime) -> None:
        """Mails a code, as a Mailer."""
        if self.mail_server_refuses:
            raise OSError("550 mailbox full")
        self.mailed.append(code)

    def change(self, command: ChangeCommand) -> object:
        """Makes a change of one customer."""
        return self.customers.change_customer(self.caller, command).result()

    def enable_codes(self) -> None:
        """Enables codes while they are disabled."""
        self.partners.update_partner(self.caller, PartnerUpdate("p", True, "a@example.org"), "").result()

    def send_code(self) -> str:
        """Sends a code for the unfreezing of the customer. Gives the reason of a refusal, or OK."""
        return outcome(lambda: self.partners.send_code(self.caller, PURPOSE))

    def unfreeze(self, code: str) -> str:
        """Unfreezes the customer. Gives the reason of a refusal, or OK."""
        command = UnfreezeCommand(customer_ids=("c",), scope=FreezeScope.ACCOUNT, reason="paid", verification_code=code)
        return outcome(lambda: self.change(command))


def outcome(call: Callable[[], object]) -> str:
    """The reason for which a call is refused, or OK."""
    try:
        call()
    except FrostgateError as error:
        return error.reason
    return "OK"
