"""What a change is answered, and how the answer is kept for a repeated request."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.customer import Customer
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import (
    AlreadyFrozen,
    CustomerNotFound,
    FrostgateError,
    NotFrozen,
    PartnerMismatch,
    ScopeMismatch,
)


@dataclass(frozen=True, slots=True)
class Changed:
    """One change: the customer afterwards (None where the change ended its association), the revision, and the partner
    whose customer it is or was."""

    customer: Customer | None
    revision: int
    partner_id: str


@dataclass(frozen=True, slots=True)
class BatchChanged:
    """A batch of changes: what became of each customer, in the order asked, the last revision, and the partners whose
    customers it tells of."""

    results: tuple[tuple[str, Customer | FrostgateError], ...]
    revision: int
    partner_ids: tuple[str, ...]


_REFUSALS: dict[str, Callable[..., FrostgateError]] = {
    refusal.reason: refusal for refusal in (CustomerNotFound, AlreadyFrozen, NotFrozen, ScopeMismatch)
}
_MISMATCH = "mismatch"


def written(answer: Changed | BatchChanged) -> str:
    """The answer as text, from which `read_changed` or `read_batch` make it again."""
    if isinstance(answer, Changed):
        customer = _written_customer(answer.customer)
        content: dict[str, Any] = {"customer": customer, "revision": answer.revision, "partner_id": answer.partner_id}
    else:
        results = [[customer_id, _written_result(result)] for customer_id, result in answer.results]
        content = {"results": results, "revision": answer.revision, "partner_ids": answer.partner_ids}
    return json.dumps(content, separators=(",", ":"))


def read_changed(text: str) -> Changed:
    """A kept answer to one change."""
    content = json.loads(text)
    customer = content["customer"]
    made = None if customer is None else _read_customer(customer)
    return Changed(made, content["revision"], content["partner_id"])


def read_batch(text: str) -> BatchChanged:
    """A kept answer to a batch."""
    content = json.loads(text)
    results = tuple((customer_id, _read_result(result)) for customer_id, result in content["results"])
    return BatchChanged(results, content["revision"], tuple(content["partner_ids"]))


def ensure_may_be_told(caller: Caller, answer: Changed | BatchChanged) -> None:
    """Raises PartnerMismatch if an answer that was given earlier tells more than the caller may know now."""
    for partner_id in (answer.partner_id,) if isinstance(answer, Changed) else answer.partner_ids:
        caller.ensure_sees(partner_id)
    if isinstance(answer, BatchChanged) and caller.partners is not None:
        for customer_id, result in answer.results:
            if isinstance(result, CustomerNotFound):
                raise PartnerMismatch(customer_id)


def _written_result(result: Customer | FrostgateError) -> dict[str, Any]:
    if isinstance(result, Customer):
        return {"customer": _written_customer(result)}
    if isinstance(result, PartnerMismatch):
        return {_MISMATCH: result.subject}
    return {"refused": result.reason, "variables": result.variables}


def _read_result(result: dict[str, Any]) -> Customer | FrostgateError:
    if "customer" in result:
        return _read_customer(result["customer"])
    if _MISMATCH in result:
        return PartnerMismatch(result[_MISMATCH])
    return _REFUSALS[result["refused"]](**result["variables"])


def _written_customer(customer: Customer | None) -> dict[str, Any] | None:
    if customer is None:
        return None
    values = {name: getattr(customer, name) for name in Customer.__slots__}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _read_customer(fields: dict[str, Any]) -> Customer:
    times = {key: v and datetime.fromisoformat(v) for key, v in fields.items() if key.endswith("_time")}
    return Customer(**{**fields, **times, "freeze_state": FreezeState(fields["freeze_state"])})
