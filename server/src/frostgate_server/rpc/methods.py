"""The method table: a method that is not in it is not served.

A row tells all that the server needs to know of a method besides its servicer: the thread pool that answers it, the
roles that may call it, and the largest request that it takes.
"""

from dataclasses import dataclass
from typing import Literal

from frostgate_server.domain.roles import Role

PoolName = Literal["checks", "changes", "bulk", "mail", "reflection", "health", "authentication"]

LARGEST_REQUEST = 512 * 1024
"""Bytes of any request message: gRPC itself refuses more, with RESOURCE_EXHAUSTED."""

_LARGEST_SINGLE_REQUEST = 64 * 1024
"""Bytes of a request about one customer or partner: its fields take far less."""

_DECIDE = frozenset({Role.CONTROL_PLANE, Role.AUDITOR, Role.OPERATOR})
_CHANGE = frozenset({Role.PARTNER_CENTER, Role.OPERATOR})
_READ = frozenset({Role.PARTNER_CENTER, Role.AUDITOR, Role.OPERATOR})


@dataclass(frozen=True, slots=True)
class Method:
    """How a method is served. `largest_request` is in bytes of the serialized message."""

    pool: PoolName
    roles: frozenset[Role]
    largest_request: int = _LARGEST_SINGLE_REQUEST


METHODS = {
    "CheckOperation": Method("checks", _DECIDE),
    "BatchCheckOperations": Method("bulk", _DECIDE, LARGEST_REQUEST),
    "ListRules": Method("bulk", _DECIDE),
    "AssociateCustomer": Method("changes", _CHANGE),
    "DisassociateCustomer": Method("changes", _CHANGE),
    "FreezeCustomer": Method("changes", _CHANGE),
    "UnfreezeCustomer": Method("changes", _CHANGE),
    "BatchFreezeCustomers": Method("changes", _CHANGE, LARGEST_REQUEST),
    "BatchUnfreezeCustomers": Method("changes", _CHANGE, LARGEST_REQUEST),
    "UpdatePartner": Method("changes", _CHANGE, LARGEST_REQUEST),
    "SendVerificationCode": Method("mail", _CHANGE, LARGEST_REQUEST),
    "GetCustomer": Method("bulk", _READ),
    "ListCustomers": Method("bulk", _READ),
    "ListFreezeEvents": Method("bulk", _READ),
    "GetPartner": Method("bulk", _READ),
    "ServerReflectionInfo": Method("reflection", frozenset(Role)),
}
