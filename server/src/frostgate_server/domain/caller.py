"""Who calls, and whose customers they may see."""

from collections.abc import Callable
from dataclasses import dataclass

from .customer import Customer
from .errors import CallerCancelled, PartnerMismatch

ANONYMOUS = "anonymous"
"""The principal where nobody had to say who they are."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and whether they still wait for the answer.

    `partners` are those whose customers the caller may see and change; None: all of them.
    """

    waits: Callable[[], bool]
    principal: str = ANONYMOUS
    partners: frozenset[str] | None = None

    def may_see(self, partner_id: str) -> bool:
        """Whether the partner is one of the caller's."""
        return self.partners is None or partner_id in self.partners

    def ensure_waits(self) -> None:
        """Raises CallerCancelled if nobody waits for the answer any more."""
        if not self.waits():
            raise CallerCancelled

    def ensure_sees_customer(self, customer_id: str, customer: Customer | None) -> None:
        """Raises PartnerMismatch alike for a stranger's customer and for nobody's, if the caller is bound."""
        if self.partners is not None and (customer is None or customer.partner_id not in self.partners):
            raise PartnerMismatch(customer_id)

    def ensure_sees(self, partner_id: str) -> None:
        """Raises PartnerMismatch unless the partner is one of the caller's."""
        if not self.may_see(partner_id):
            raise PartnerMismatch(partner_id)
