"""The results of changes, and their stored form, which answers a repeated request.

The keys of the stored JSON never change, because responses of earlier versions are read for 24 hours after an upgrade.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.customer import Customer
from frostgate_server.domain.customer_errors import (
    AlreadyFrozen,
    CustomerNotFound,
    NotFrozen,
    ScopeMismatch,
)
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import (
    FrostgateError,
    PartnerMismatch,
    RequestIdReused,
)
from frostgate_server.storage.queries import RequestKey, StoredResponse

from .commands import AssociateCommand, ChangeCommand


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """The result of one change: the customer afterwards (None after a disassociation), the revision, and the present or
    former partner of the customer."""

    customer: Customer | None
    revision: int
    partner_id: str


@dataclass(frozen=True, slots=True)
class BatchChangeResult:
    """The result of a batch: the outcome for each customer in the order of the request, the last revision, and the
    partners of the customers in it."""

    results: tuple[tuple[str, Customer | FrostgateError], ...]
    revision: int
    partner_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _StoredRefusal:
    """The stored form of a refusal in a batch: the variables of its message, and the function that makes the error."""

    variables: tuple[str, ...]
    make: Callable[..., FrostgateError]


_REFUSALS = {
    "CUSTOMER_NOT_FOUND": _StoredRefusal(("customer_id",), CustomerNotFound),
    "ALREADY_FROZEN": _StoredRefusal(("customer_id", "freeze_state"), AlreadyFrozen),
    "NOT_FROZEN": _StoredRefusal(("customer_id",), NotFrozen),
    "SCOPE_MISMATCH": _StoredRefusal(("customer_id", "scope", "frozen_scope"), ScopeMismatch),
}


def request_key(caller: Caller, command: ChangeCommand) -> RequestKey | None:
    """The key of the stored response. None if the request has no id or only validates."""
    if not command.request_id or command.validate_only:
        return None
    return RequestKey(caller.principal, command.method, command.request_id)


def make_response(command: ChangeCommand, result: ChangeResult | BatchChangeResult) -> StoredResponse:
    """The stored form of the response, for a repeated request."""
    return StoredResponse(_fingerprint(command), serialize_response(result))


def replay_response(stored: StoredResponse, caller: Caller, command: ChangeCommand) -> ChangeResult | BatchChangeResult:
    """The result of the first request with this id.

    Raises RequestIdReused if the first request had other content, and PartnerMismatch if the caller may no longer see
    the result.
    """
    if stored.fingerprint != _fingerprint(command):
        raise RequestIdReused(request_id=command.request_id)
    result = parse_batch_result(stored.answer) if command.is_batch else parse_change_result(stored.answer)
    ensure_may_be_told(caller, result)
    return result


def _content(command: ChangeCommand) -> list[object]:
    """The content that must be equal in a repeated request. Its hash is stored, so its form never changes."""
    subject = list(command.customer_ids) if command.is_batch else command.customer_ids[0]
    content: list[object] = [subject, command.scope, command.reason]
    if isinstance(command, AssociateCommand):
        content.append(command.partner_id)
    if command.expected_revision is not None:
        content.append(command.expected_revision)
    return content


def _fingerprint(command: ChangeCommand) -> str:
    return hashlib.sha256(json.dumps(_content(command)).encode()).hexdigest()


def serialize_response(answer: ChangeResult | BatchChangeResult) -> str:
    """The answer as text, for `parse_change_result` or `parse_batch_result`."""
    if isinstance(answer, ChangeResult):
        customer = _written_customer(answer.customer)
        content: dict[str, Any] = {"customer": customer, "revision": answer.revision, "partner_id": answer.partner_id}
    else:
        results = [[customer_id, _written_result(result)] for customer_id, result in answer.results]
        content = {"results": results, "revision": answer.revision, "partner_ids": answer.partner_ids}
    return json.dumps(content, separators=(",", ":"))


def parse_change_result(text: str) -> ChangeResult:
    """A stored answer to one change."""
    content = json.loads(text)
    customer = content["customer"]
    made = None if customer is None else _read_customer(customer)
    return ChangeResult(made, content["revision"], content["partner_id"])


def parse_batch_result(text: str) -> BatchChangeResult:
    """A stored answer to a batch."""
    content = json.loads(text)
    results = tuple((customer_id, _read_result(result)) for customer_id, result in content["results"])
    return BatchChangeResult(results, content["revision"], tuple(content["partner_ids"]))


def ensure_may_be_told(caller: Caller, answer: ChangeResult | BatchChangeResult) -> None:
    """Raises PartnerMismatch if a stored answer contains partners or customers that the caller may no longer see."""
    for partner_id in (answer.partner_id,) if isinstance(answer, ChangeResult) else answer.partner_ids:
        caller.ensure_sees(partner_id)
    if isinstance(answer, BatchChangeResult) and caller.partners is not None:
        for customer_id, result in answer.results:
            if isinstance(result, CustomerNotFound):
                raise PartnerMismatch(customer_id)


def _written_result(result: Customer | FrostgateError) -> dict[str, Any]:
    if isinstance(result, Customer):
        return {"customer": _written_customer(result)}
    if isinstance(result, PartnerMismatch):
        return {"mismatch": result.subject}
    variables = {name: result.variables[name] for name in _REFUSALS[result.reason].variables}
    return {"refused": result.reason, "variables": variables}


def _read_result(result: dict[str, Any]) -> Customer | FrostgateError:
    if "customer" in result:
        return _read_customer(result["customer"])
    if "mismatch" in result:
        return PartnerMismatch(result["mismatch"])
    return _REFUSALS[result["refused"]].make(**result["variables"])


def _written_customer(customer: Customer | None) -> dict[str, Any] | None:
    if customer is None:
        return None
    return {
        "customer_id": customer.customer_id,
        "partner_id": customer.partner_id,
        "freeze_state": int(customer.freeze_state),
        "freeze_reason": customer.freeze_reason,
        "freeze_time": _written_time(customer.freeze_time),
        "retention_expire_time": _written_time(customer.retention_expire_time),
        "associate_time": customer.associate_time.isoformat(),
        "update_time": customer.update_time.isoformat(),
        "revision": customer.revision,
    }


def _read_customer(fields: dict[str, Any]) -> Customer:
    return Customer(
        customer_id=fields["customer_id"],
        partner_id=fields["partner_id"],
        freeze_state=FreezeState(fields["freeze_state"]),
        freeze_reason=fields["freeze_reason"],
        freeze_time=_read_time(fields["freeze_time"]),
        retention_expire_time=_read_time(fields["retention_expire_time"]),
        associate_time=datetime.fromisoformat(fields["associate_time"]),
        update_time=datetime.fromisoformat(fields["update_time"]),
        revision=fields["revision"],
    )


def _written_time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _read_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
