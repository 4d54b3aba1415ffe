"""Commands: the changes of customers that a caller can ask for, as plain values.

A request becomes a command once its shape is checked.
"""

from dataclasses import dataclass
from typing import ClassVar

from frostgate_server.domain.customer import ASSOCIATION_REASON
from frostgate_server.domain.enums import FreezeEventAction, FreezeScope, VerificationAction


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCommand:
    """A change of one customer or, where `is_batch`, of several.

    `verification_action` is None where no partner needs a code. An empty request_id or verification_code stands for
    none. The customer must be at `expected_revision`, unless that is None.
    """

    method: ClassVar[str]
    action: ClassVar[FreezeEventAction]
    verification_action: ClassVar[VerificationAction | None]
    is_batch: ClassVar[bool] = False

    customer_ids: tuple[str, ...]
    reason: str
    scope: FreezeScope | None = None
    verification_code: str = ""
    request_id: str = ""
    expected_revision: int | None = None
    validate_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateCommand(ChangeCommand):
    """Associates a customer with a partner: its account is frozen by default."""

    method = "AssociateCustomer"
    action = FreezeEventAction.ASSOCIATED
    verification_action = None

    partner_id: str
    reason: str = ASSOCIATION_REASON


@dataclass(frozen=True, slots=True, kw_only=True)
class DisassociateCommand(ChangeCommand):
    """Makes a customer unknown, from any state."""

    method = "DisassociateCustomer"
    action = FreezeEventAction.DISASSOCIATED
    verification_action = VerificationAction.DISASSOCIATE


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeCommand(ChangeCommand):
    """Freezes a customer, or freezes it further."""

    method = "FreezeCustomer"
    action = FreezeEventAction.FROZEN
    verification_action = VerificationAction.FREEZE

    scope: FreezeScope


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfreezeCommand(ChangeCommand):
    """Unfreezes a customer by the scope it is frozen with."""

    method = "UnfreezeCustomer"
    action = FreezeEventAction.UNFROZEN
    verification_action = VerificationAction.UNFREEZE

    scope: FreezeScope


class BatchFreezeCommand(FreezeCommand):
    """Freezes customers in one transaction. A refused one is its own result."""

    __slots__ = ()
    method = "BatchFreezeCustomers"
    is_batch = True


class BatchUnfreezeCommand(UnfreezeCommand):
    """Unfreezes customers in one transaction. A refused one is its own result."""

    __slots__ = ()
    method = "BatchUnfreezeCustomers"
    is_batch = True
