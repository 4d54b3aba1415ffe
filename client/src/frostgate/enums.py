"""The words of frostgate as enums. Their values are the numbers of the wire.

A newer server may know words that this client does not: they are read as UNRECOGNIZED, and cannot be sent.
"""

from enum import IntEnum
from typing import Self


class _WireEnum(IntEnum):
    @classmethod
    def _missing_(cls, _: object) -> Self:
        return cls(0)


class FreezeScope(_WireEnum):
    """How far a freeze reaches."""

    UNRECOGNIZED = 0
    ACCOUNT = 1
    ACCOUNT_AND_RESOURCES = 2


class FreezeState(_WireEnum):
    """What is frozen of a customer."""

    UNRECOGNIZED = 0
    NORMAL = 1
    ACCOUNT_FROZEN = 2
    ACCOUNT_AND_RESOURCES_FROZEN = 3


class BillingMode(_WireEnum):
    """How a resource is paid for."""

    UNRECOGNIZED = 0
    YEARLY_MONTHLY = 1
    PAY_PER_USE = 2
    SPOT = 3


class Operation(_WireEnum):
    """What a customer wants to do with a resource."""

    UNRECOGNIZED = 0
    PURCHASE = 1
    RENEW = 2
    UNSUBSCRIBE = 3
    MODIFY_SPECIFICATIONS = 4
    CHANGE_TO_PAY_PER_USE = 5
    CHANGE_TO_YEARLY_MONTHLY = 6
    RENAME = 7
    VIEW = 8
    OPERATE = 9
    DELETE = 10
    ACCESS = 11


class DecisionReason(_WireEnum):
    """Why a check was answered as it was."""

    UNRECOGNIZED = 0
    CUSTOMER_NORMAL = 1
    OPERATION_SUPPORTED = 2
    ACCOUNT_FROZEN = 3
    RESOURCES_FROZEN = 4
    CUSTOMER_UNKNOWN = 5


class RuleBasis(_WireEnum):
    """What a rule rests on: the source's table, a sentence of it, its silence, or the operator's decision."""

    UNRECOGNIZED = 0
    LISTED = 1
    PROSE = 2
    SILENT = 3
    OVERRIDE = 4


class VerificationAction(_WireEnum):
    """What a verification code is sent for."""

    UNRECOGNIZED = 0
    FREEZE = 1
    UNFREEZE = 2
    DISASSOCIATE = 3
    UPDATE_PARTNER = 4


class FreezeEventAction(_WireEnum):
    """What happened to a customer."""

    UNRECOGNIZED = 0
    ASSOCIATED = 1
    FROZEN = 2
    UNFROZEN = 3
    DISASSOCIATED = 4
