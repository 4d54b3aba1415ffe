"""A servicer's methods as gRPC handlers: each call is answered in its pool, and its errors become statuses.

A caller without identity or role learns nothing about its request, not even that it is malformed.
"""

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
    Overloaded,
    StartupError,
)
from frostgate_server.services.refusal_audit import RefusalAudit

from .methods import METHODS
from .status_mapping import to_status
from .thread_pools import RETRY_AFTER_SECONDS, ThreadPools

_log = logging.getLogger(__name__)

WORKER_METADATA_KEY = "frostgate-worker"
"""Names the worker that answered, in the trailing metadata of every answer."""

ServicerMethod = Callable[[Caller, Any], Message | bytes]
"""Answers a request of a caller who may call the method. Raises FrostgateError."""


@dataclass(frozen=True, slots=True)
class HandlerContext:
    """What all handlers of a worker share: its number, thread pools, authenticator, and the audit of refusals."""

    worker: int
    pools: ThreadPools
    authenticator: Authenticator
    refusals: RefusalAudit


class _MalformedRequest:
    """Stands for a request whose bytes are no message."""

    def __init__(self, problem: str) -> None:
        self.problem = problem


class MethodHandler:
    """Answers the calls of one method: identity and role first, then the servicer. Every error becomes a status."""

    def __init__(self, name: str, method: ServicerMethod, request_class: type[Message], shared: HandlerContext) -> None:
        """Serves the method by its row of the method table. Raises StartupError if it has none."""
        row = METHODS.get(name)
        if row is None:
            raise StartupError(f"{name} has no row in the method table, rpc/methods.py")
        self._name = name
        self._roles = row.roles
        self._largest_request = row.largest_request
        self._method = method
        self._request_class = request_class
        self._authenticator = shared.authenticator
        self._refusals = shared.refusals
        self._trailer = (WORKER_METADATA_KEY, str(shared.worker))
        # gRPC runs a handler in the thread pool that this attribute names.
        self.experimental_thread_pool = self._pool = shared.pools[row.pool]

    def __call__(self, request: Message | _MalformedRequest, context: grpc.ServicerContext) -> Message | bytes:
        context.set_trailing_metadata((self._trailer,))
        caller: Caller | None = None
        try:
            if self._pool.is_full():
                raise Overloaded(RETRY_AFTER_SECONDS)
            caller = self._authenticator.authenticate(context, self._name, self._roles)
            if isinstance(request, _MalformedRequest):
                raise InvalidFields([FieldViolation("request", request.problem)])
            return self._method(caller, request)
        except FrostgateError as error:
            if error.detail:
                _log.error("%s: %s", error.reason, error.detail)
            self._refusals.record(caller.principal if caller else "", self._name, error)
            refusal = error
        except Exception as error:  # noqa: BLE001 - the caller must not see any other exception, and the log must
            refusal = InternalError(call_id=str(uuid4()))
            request_id = getattr(request, "request_id", "")
            _log.error("call_id %s, request_id %r failed", refusal.variables["call_id"], request_id, exc_info=error)
        return refuse(context, refusal, self._trailer)

    def parse(self, serialized: bytes) -> Message | _MalformedRequest:
        """The request. A malformed one is refused by the handler, once its caller is known."""
        if len(serialized) > self._largest_request:
            return _MalformedRequest(f"must have at most {self._largest_request} bytes but has {len(serialized)}")
        try:
            return self._request_class.FromString(serialized)
        except DecodeError:
            name = self._request_class.DESCRIPTOR.full_name
            return _MalformedRequest(f"must be a valid {name}, its strings UTF-8, but is not")


def add_service(server: grpc.Server, service: ServiceDescriptor, servicer: object, shared: HandlerContext) -> None:
    """Serves each RPC of a service with the servicer's method of its name. Raises StartupError if one has no row."""
    handlers = {}
    for method in service.methods:
        request_class = GetMessageClass(method.input_type)
        handler = MethodHandler(method.name, getattr(servicer, method.name), request_class, shared)
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(
            handler, request_deserializer=handler.parse, response_serializer=_serialized
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


def refuse(context: grpc.ServicerContext, error: FrostgateError, *trailers: tuple[str, str]) -> NoReturn:
    """Ends the call with the error's status, whose details are metadata too."""
    status: Any = rpc_status.to_status(to_status(error))
    context.abort_with_status(status._replace(trailing_metadata=(*status.trailing_metadata, *trailers)))


def _serialized(response: Message | bytes) -> bytes:
    return response if isinstance(response, bytes) else response.SerializeToString()
