"""What each role may call: one table. What stands in no line is for nobody."""

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What a caller is to the server, in the words of the configuration file."""

    PARTNER_CENTER = "partner-center"
    CONTROL_PLANE = "control-plane"
    AUDITOR = "auditor"
    OPERATOR = "operator"


_CHANGE = frozenset({Role.PARTNER_CENTER, Role.OPERATOR})
_READ = frozenset({Role.PARTNER_CENTER, Role.AUDITOR, Role.OPERATOR})
_DECIDE = frozenset({Role.CONTROL_PLANE, Role.AUDITOR, Role.OPERATOR})

ROLES_OF_METHOD: Mapping[str, frozenset[Role]] = {
    "CheckOperation": _DECIDE,
    "BatchCheckOperations": _DECIDE,
    "ListRules": _DECIDE,
    "WatchCustomers": _DECIDE,
    "AssociateCustomer": _CHANGE,
    "DisassociateCustomer": _CHANGE,
    "FreezeCustomer": _CHANGE,
    "UnfreezeCustomer": _CHANGE,
    "BatchFreezeCustomers": _CHANGE,
    "BatchUnfreezeCustomers": _CHANGE,
    "UpdatePartner": _CHANGE,
    "SendVerificationCode": _CHANGE,
    "GetCustomer": _READ,
    "ListCustomers": _READ,
    "ListFreezeEvents": _READ,
    "GetPartner": _READ,
    "ServerReflectionInfo": frozenset(Role),
}
"""WatchCustomers is not served yet, and has its line already."""


def may_call(role: Role, method: str) -> bool:
    """Whether the role includes the method; never where the table does not know the method, whatever the role."""
    return role in ROLES_OF_METHOD.get(method, frozenset())
