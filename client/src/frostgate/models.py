"""The results of calls, as plain values. Times are UTC. A missing value is None."""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from .enums import (
    BillingMode,
    DecisionReason,
    FreezeEventAction,
    FreezeScope,
    FreezeState,
    Operation,
    RuleBasis,
)
from .errors import FrostgateError


class NoTruthValue:
    """A result that has no truth value. Its use as a condition raises TypeError, so that no denial is read as True."""

    __slots__ = ()
    _instead = ""

    def __bool__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is neither true nor false: write {self._instead}")


@dataclass(frozen=True, slots=True)
class Decision(NoTruthValue):
    """The answer to a check. `allowed` is True if the customer may use the operation.

    `freeze_state` and `basis` are None if the customer is not associated with a partner.
    """

    allowed: bool
    reason: DecisionReason
    message: str
    freeze_state: FreezeState | None
    basis: RuleBasis | None
    revision: int
    policy_version: str

    _instead = "`decision.allowed`"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a batch."""

    customer_id: str
    operation: Operation
    billing_mode: BillingMode
    resource_id: str | None = None


@dataclass(frozen=True, slots=True)
class BatchDecisions(NoTruthValue):
    """The answers to a batch, in the order of the checks, all at one revision. A malformed check has an error."""

    results: tuple[Decision | FrostgateError, ...]
    revision: int

    _instead = "`result.allowed` for each Decision in `batch.results`"


@dataclass(frozen=True, slots=True)
class Rule(NoTruthValue):
    """One cell of the policy. `source_text` is empty where the source is silent."""

    freeze_state: FreezeState
    billing_mode: BillingMode
    operation: Operation
    allowed: bool
    reason: DecisionReason
    basis: RuleBasis
    message: str
    source_text: str

    _instead = "`rule.allowed`"


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of a deployment, and its decision for unknown customers."""

    rules: tuple[Rule, ...]
    unknown_customer_allowed: bool
    policy_version: str


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer that is associated with a partner."""

    customer_id: str
    partner_id: str
    freeze_state: FreezeState
    freeze_reason: str | None
    freeze_time: datetime | None
    retention_expire_time: datetime | None
    fees_accrue: bool
    associate_time: datetime
    update_time: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class FreezeEvent:
    """One change of one customer. A state is None where the customer is unknown."""

    revision: int
    customer_id: str
    partner_id: str
    action: FreezeEventAction
    scope: FreezeScope | None
    state_before: FreezeState | None
    state_after: FreezeState | None
    reason: str
    actor: str
    request_id: str
    event_time: datetime


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner. Its contact is masked, such as a***@example.org. None if it has no contact."""

    partner_id: str
    verification_code_enabled: bool
    verification_contact: str | None


@dataclass(frozen=True, slots=True)
class SentCode:
    """A verification code that was mailed: its expiry time, and the masked contact it was sent to."""

    expire_time: datetime
    sent_to: str


@dataclass(frozen=True, slots=True)
class Association:
    """The result of an association."""

    customer: Customer
    revision: int


@dataclass(frozen=True, slots=True)
class Disassociation:
    """The result of a disassociation."""

    revision: int


@dataclass(frozen=True, slots=True)
class FreezeResult:
    """The result of a freeze or an unfreeze. `message` is text for users."""

    customer: Customer
    message: str
    revision: int


@dataclass(frozen=True, slots=True)
class BatchFreezeResult(NoTruthValue):
    """The result for each customer of a batch, by id, in the order of the request: the customer, or an error."""

    results: dict[str, Customer | FrostgateError]
    revision: int

    _instead = "`isinstance(result, Customer)` for each of `batch.results.values()`"
