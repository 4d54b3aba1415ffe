"""The words of the domain. Each value is the number that the same word has on the wire."""

from enum import IntEnum


class FreezeScope(IntEnum):
    """How far a freeze reaches. The larger number reaches further."""

    ACCOUNT = 1
    ACCOUNT_AND_RESOURCES = 2


class FreezeState(IntEnum):
    """What is frozen of a customer. An unknown customer has no freeze state: None stands for it."""

    NORMAL = 1
    ACCOUNT_FROZEN = 2
    ACCOUNT_AND_RESOURCES_FROZEN = 3


class BillingMode(IntEnum):
    """How a resource is paid for."""

    YEARLY_MONTHLY = 1
    PAY_PER_USE = 2
    SPOT = 3


class Operation(IntEnum):
    """What a customer wants to do with a resource."""

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


class Decision(IntEnum):
    """The answer to a check. Anything but ALLOW is a denial."""

    ALLOW = 1
    DENY = 2


class DecisionReason(IntEnum):
    """Why a check was answered as it was."""

    CUSTOMER_NORMAL = 1
    OPERATION_SUPPORTED = 2
    ACCOUNT_FROZEN = 3
    RESOURCES_FROZEN = 4
    CUSTOMER_UNKNOWN = 5


class RuleBasis(IntEnum):
    """What a rule rests on: the source's table, a sentence of it, its silence, or the operator's decision."""

    LISTED = 1
    PROSE = 2
    SILENT = 3
    OVERRIDE = 4


class VerificationAction(IntEnum):
    """What a verification code is sent for."""

    FREEZE = 1
    UNFREEZE = 2
    DISASSOCIATE = 3
    UPDATE_PARTNER = 4


class FreezeEventAction(IntEnum):
    """What happened to a customer."""

    ASSOCIATED = 1
    FROZEN = 2
    UNFROZEN = 3
    DISASSOCIATED = 4
