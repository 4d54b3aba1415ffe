"""The method table: a method that is not in it is not served.

A row has the thread pool that answers the method, the roles that may call it, and its largest request, in bytes and in
items.
"""

from dataclasses import dataclass
from typing import Literal

from frostgate_server.domain.roles import Role

from .messages.field_validation import LARGEST_BATCH
from .messages.request_limits import MOST_ITEMS_COUNTED

PoolName = Literal["checks", "changes", "bulk", "lists", "mail", "reflection", "health", "authentication"]

LARGEST_REQUEST = 512 * 1024
"""The largest request message of any method, in bytes. gRPC itself refuses larger ones with RESOURCE_EXHAUSTED."""

_LARGEST_SINGLE_REQUEST = 64 * 1024
"""The largest request about one customer or partner, in bytes. Its fields take far less."""

_DECIDE = frozenset({Role.CONTROL_PLANE, Role.AUDITOR, Role.OPERATOR})
_CHANGE = frozenset({Role.PARTNER_CENTER, Role.OPERATOR})
_READ = frozenset({Role.PARTNER_CENTER, Role.AUDITOR, Role.OPERATOR})


@dataclass(frozen=True, slots=True)
class Method:
    """How a method is served. `largest_request` is in bytes; `most_items` limits the one repeated field, if any."""

    pool: PoolName
    roles: frozenset[Role]
    largest_request: int = _LARGEST_SINGLE_REQUEST
    most_items: int = 0


METHODS = {
    "CheckOperation": Method("checks", _DECIDE),
    "BatchCheckOperations": Method("bulk", _DECIDE, LARGEST_REQUEST, LARGEST_BATCH),
    "ListRules": Method("bulk", _DECIDE),
    "AssociateCustomer": Method("changes", _CHANGE),
    "DisassociateCustomer": Method("changes", _CHANGE),
    "FreezeCustomer": Method("changes", _CHANGE),
    "UnfreezeCustomer": Method("changes", _CHANGE),
    "BatchFreezeCustomers": Method("changes", _CHANGE, LARGEST_REQUEST, LARGEST_BATCH),
    "BatchUnfreezeCustomers": Method("changes", _CHANGE, LARGEST_REQUEST, LARGEST_BATCH),
    "UpdatePartner": Method("changes", _CHANGE, LARGEST_REQUEST),
    "SendVerificationCode": Method("mail", _CHANGE, LARGEST_REQUEST, MOST_ITEMS_COUNTED),
    "GetCustomer": Method("bulk", _READ),
    "ListCustomers": Method("lists", _READ),
    "ListFreezeEvents": Method("lists", _READ),
    "GetPartner": Method("bulk", _READ),
    "ServerReflectionInfo": Method("reflection", frozenset(Role)),
}
