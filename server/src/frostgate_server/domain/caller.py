"""The caller of a method, and the partners whose customers it may see."""

from collections.abc import Callable
from dataclasses import dataclass

from .customer import Customer
from .errors import CallerCancelled, PartnerMismatch

ANONYMOUS = "anonymous"
"""The principal of all callers if the server does not authenticate callers."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a method. `waits` tells whether it still waits for the answer.

    The caller may see and change only the customers of `partners`. None: all customers.
    """

    waits: Callable[[], bool]
    principal: str = ANONYMOUS
    partners: frozenset[str] | None = None

    def may_see(self, partner_id: str) -> bool:
        """Whether the caller may see the partner."""
        return self.partners is None or partner_id in self.partners

    def ensure_waits(self) -> None:
        """Raises CallerCancelled if the caller no longer waits."""
        if not self.waits():
            raise CallerCancelled

    def ensure_sees_customer(self, customer_id: str, customer: Customer | None) -> None:
        """Raises PartnerMismatch if a caller that is bound to partners may not see the customer or it is unknown."""
        if self.partners is not None and (customer is None or customer.partner_id not in self.partners):
            raise PartnerMismatch(customer_id)

    def ensure_sees(self, partner_id: str) -> None:
        """Raises PartnerMismatch unless the caller may see the partner."""
        if not self.may_see(partner_id):
            raise PartnerMismatch(partner_id)
