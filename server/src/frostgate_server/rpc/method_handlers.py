"""A servicer's methods as gRPC handlers: each call is answered in its pool, and its errors become statuses."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import uuid4

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from grpc_status import rpc_status

from frostgate_server.auth.interface import Authenticator
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.errors import (
    FieldViolation,
    FrostgateError,
    InternalError,
    InvalidFields,
    OutcomeUnknown,
    Overloaded,
    StorageUnavailable,
)
from frostgate_server.domain.verification_errors import VerificationCodeNotSent
from frostgate_server.services.refusal_audit import RefusalAudit

from .status_mapping import to_status
from .thread_pools import POOL_BY_METHOD, RETRY_AFTER_SECONDS, ThreadPools, run_in_pool

_log = logging.getLogger(__name__)

AuthorizedCall = Callable[[Caller], Message | bytes]
"""What is to be done for a request that is well formed, once it is known who calls."""


class _MalformedRequest:
    """Stands for a request whose bytes are no message."""

    def __init__(self, message: str) -> None:
        self.message = message


WORKER_METADATA_KEY = "frostgate-worker"
"""Names the worker that answered, in the trailing metadata of every answer."""


@dataclass(frozen=True, slots=True)
class HandlerContext:
    """What all handlers of a worker share: its number, thread pools, authenticator, and the audit of refusals."""

    worker: int
    pools: ThreadPools
    authenticator: Authenticator
    refusals: RefusalAudit


def add_service(server: grpc.Server, service: ServiceDescriptor, servicer: object, shared: HandlerContext) -> None:
    """Serves each RPC of a service with the servicer's method of its name, in its thread pool."""
    handlers = {}
    for method in service.methods:
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(
            _make_handler(method.name, getattr(servicer, method.name), shared),
            request_deserializer=_parser(GetMessageClass(method.input_type)),
            response_serializer=_serialized,
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


def _make_handler(
    name: str, method: Callable[[Any], AuthorizedCall], shared: HandlerContext
) -> Callable[[Any, grpc.ServicerContext], Message | bytes]:
    """The method, with every error turned into its status."""

    pool, authenticator = shared.pools[POOL_BY_METHOD[name]], shared.authenticator
    trailer = (WORKER_METADATA_KEY, str(shared.worker))
    trailers = (trailer,)

    def answer(request: Message | _MalformedRequest, context: grpc.ServicerContext) -> Message | bytes:
        context.set_trailing_metadata(trailers)
        caller: Caller | None = None
        try:
            if pool.is_full():
                raise Overloaded(RETRY_AFTER_SECONDS)
            if isinstance(request, _MalformedRequest):
                raise InvalidFields([FieldViolation("request", request.message)])
            action = method(request)
            caller = authenticator.authenticate(context, name)
            return action(caller)
        except FrostgateError as error:
            if isinstance(error, (StorageUnavailable, OutcomeUnknown, VerificationCodeNotSent)):
                _log.error("%s: %s", error.reason, error.detail)
            shared.refusals.record(caller.principal if caller else "", name, error)
            refusal = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must not see it, and the log must
            refusal = InternalError(call_id=str(uuid4()))
            request_id = getattr(request, "request_id", "")
            _log.error("call_id %s, request_id %r failed", refusal.variables["call_id"], request_id, exc_info=error)
        refuse(context, refusal, trailer)

    run_in_pool(answer, pool)
    return answer


def refuse(context: grpc.ServicerContext, error: FrostgateError, *trailers: tuple[str, str]) -> NoReturn:
    """Ends the call with the error's status, whose details are metadata too."""
    status: Any = rpc_status.to_status(to_status(error))
    context.abort_with_status(status._replace(trailing_metadata=(*status.trailing_metadata, *trailers)))


def _parser(message_class: type[Message]) -> Callable[[bytes], Message | _MalformedRequest]:
    parse = message_class.FromString

    def parsed(serialized: bytes) -> Message | _MalformedRequest:
        try:
            return parse(serialized)
        except DecodeError:
            return _MalformedRequest(
                f"must be a valid {message_class.DESCRIPTOR.full_name}, its strings UTF-8, but is not"
            )

    return parsed


def _serialized(response: Message | bytes) -> bytes:
    return response if isinstance(response, bytes) else response.SerializeToString()
