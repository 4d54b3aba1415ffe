"""Commands: the changes of customers that a caller can ask for, as plain values.

A valid request becomes a command.
"""

from dataclasses import dataclass
from typing import ClassVar

from frostgate_server.domain.customer import ASSOCIATION_REASON
from frostgate_server.domain.enums import FreezeEventAction, FreezeScope, VerificationAction


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCommand:
    """A change of one customer or, if `is_batch`, of several.

    `verification_action` is None if the change never needs a code. An empty request_id or verification_code means none.
    The customer must be at `expected_revision`, unless that is None.
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
    """Unfreezes a customer with the scope that it is frozen with."""

    method = "UnfreezeCustomer"
    action = FreezeEventAction.UNFROZEN
    verification_action = VerificationAction.UNFREEZE

    scope: FreezeScope


class BatchFreezeCommand(FreezeCommand):
    """Freezes customers in one transaction. A refused customer gets an error as its result."""

    __slots__ = ()
    method = "BatchFreezeCustomers"
    is_batch = True


class BatchUnfreezeCommand(UnfreezeCommand):
    """Unfreezes customers in one transaction. A refused customer gets an error as its result."""

    __slots__ = ()
    method = "BatchUnfreezeCustomers"
    is_batch = True
