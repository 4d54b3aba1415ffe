"""The Python client of frostgate, a gRPC policy decision service.

    from frostgate import BillingMode, Client, Operation

    with Client("127.0.0.1:50051") as client:
        decision = client.check_operation(
            customer_id="c-1001", operation=Operation.PURCHASE, billing_mode=BillingMode.SPOT
        )
        if not decision.allowed:
            print(decision.message)

`frostgate.aio.Client` has the same methods for asyncio. A call without an answer raises FrostgateError.
`frostgate.errors` documents the tree of exceptions. `frostgate.v1` contains the messages and stubs.
"""

from . import aio
from .client import Client
from .enums import (
    BillingMode,
    DecisionReason,
    ErrorReason,
    FreezeEventAction,
    FreezeScope,
    FreezeState,
    Operation,
    RuleBasis,
    VerificationAction,
)
from .errors import (
    AlreadyExists,
    ClientClosed,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    FrostgateError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    ResourceExhausted,
    RevisionMismatch,
    Unauthenticated,
    Unavailable,
)
from .models import (
    Association,
    BatchDecisions,
    BatchFreezeResult,
    Check,
    Customer,
    Decision,
    Disassociation,
    FreezeEvent,
    FreezeResult,
    Partner,
    Policy,
    Rule,
    SentCode,
)

__version__ = "0.2.0"

__all__ = [
    "AlreadyExists",
    "Association",
    "BatchDecisions",
    "BatchFreezeResult",
    "BillingMode",
    "Check",
    "Client",
    "ClientClosed",
    "Customer",
    "DeadlineExceeded",
    "Decision",
    "DecisionReason",
    "Disassociation",
    "ErrorReason",
    "FailedPrecondition",
    "FieldViolation",
    "FreezeEvent",
    "FreezeEventAction",
    "FreezeResult",
    "FreezeScope",
    "FreezeState",
    "FrostgateError",
    "InvalidRequest",
    "NotFound",
    "Operation",
    "OutcomeUnknown",
    "Partner",
    "PermissionDenied",
    "Policy",
    "ResourceExhausted",
    "RevisionMismatch",
    "Rule",
    "RuleBasis",
    "SentCode",
    "Unauthenticated",
    "Unavailable",
    "VerificationAction",
    "__version__",
    "aio",
]
