"""The answer to a unary call: a message, or a refusal with its status."""

from dataclasses import dataclass

import grpc
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest
from google.rpc.status_pb2 import Status

from frostgate_server.domain.errors import CallerLimitReached, FrostgateError, Overloaded, TooManyStreams

from .health import Health, UnknownService
from .policy_decision_servicer import PolicyDecisionServicer
from .status_mapping import to_status

DETAILS_KEY = "grpc-status-details-bin"

RETRY_AFTER_SECONDS = 1
"""The retry delay in the answers OVERLOADED, CALLER_LIMIT_REACHED and TOO_MANY_STREAMS."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`message` is serialized, or None for a refusal. `status` is the serialized google.rpc.Status of a refusal."""

    message: bytes | None = None
    code: int = 0
    details: str = ""
    status: bytes = b""


def refusal(error: FrostgateError) -> Reply:
    """The reply to a call that failed with the error."""
    return refusal_of_status(to_status(error))


def refusal_of_status(status: Status) -> Reply:
    """The reply to a call that failed with the status."""
    return Reply(None, status.code, status.message, status.SerializeToString())


def health_reply(health: Health, serialized: bytes) -> Reply:
    """The reply to a request of Health/Check. An unknown service gets NOT_FOUND without a message, as in grpcio."""
    try:
        return Reply(health.check(serialized))
    except UnknownService:
        return Reply(None, grpc.StatusCode.NOT_FOUND.value[0])
    except FrostgateError as error:
        return refusal(error)


def probe_reply(decisions: PolicyDecisionServicer, serialized: bytes) -> Reply:
    """The reply to the worker's check of itself: the answer, or the refusal if the storage cannot be read."""
    try:
        (answer,) = decisions.check_group([CheckOperationRequest.FromString(serialized)], logged=False)
    except FrostgateError as error:
        return refusal(error)
    return refusal(answer) if isinstance(answer, FrostgateError) else Reply(answer)


OVERLOADED = refusal(Overloaded(RETRY_AFTER_SECONDS))

CALLER_LIMIT_REACHED = refusal(CallerLimitReached(RETRY_AFTER_SECONDS))

TOO_MANY_STREAMS = refusal(TooManyStreams(RETRY_AFTER_SECONDS))

NO_MESSAGE = Reply(None, grpc.StatusCode.UNIMPLEMENTED.value[0], "exactly one message is required")
"""For calls without a message: UNIMPLEMENTED, as grpcio answers them."""
