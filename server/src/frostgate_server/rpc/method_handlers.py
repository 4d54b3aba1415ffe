"""A servicer's methods as gRPC handlers: each call is answered in its lane, and its errors become statuses."""

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

from frostgate_server.auth.interface import Door
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.errors import (
    Bug,
    FieldViolation,
    FrostgateError,
    InvalidFields,
    OutcomeUnknown,
    Overloaded,
    StorageUnavailable,
)
from frostgate_server.domain.verification_errors import VerificationCodeNotSent
from frostgate_server.services.refusal_audit import Refusals

from .status_mapping import status_of
from .thread_pools import LANE_OF_METHOD, RETRY_AFTER_SECONDS, Lanes, in_lane

_log = logging.getLogger(__name__)

Action = Callable[[Caller], Message | bytes]
"""What is to be done for a request that is well formed, once it is known who calls."""


class _Unparsable:
    """Stands for a request whose bytes are no message."""

    def __init__(self, message: str) -> None:
        self.message = message


WORKER_METADATA_KEY = "frostgate-worker"
"""Names the worker that answered, in the trailing metadata of every answer."""


@dataclass(frozen=True, slots=True)
class Reception:
    """Where the calls of a worker arrive: its number, the lanes that they wait in, the door that lets callers in, and
    the book of those who wanted more than they may."""

    worker: int
    lanes: Lanes
    door: Door
    refusals: Refusals


def add_service(server: grpc.Server, service: ServiceDescriptor, servicer: object, reception: Reception) -> None:
    """Serves a service: each RPC with the servicer's method of its name, in its lane, for whom the door lets in."""
    handlers = {}
    for method in service.methods:
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(
            _answering(method.name, getattr(servicer, method.name), reception),
            request_deserializer=_parser(GetMessageClass(method.input_type)),
            response_serializer=_serialized,
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


def _answering(
    name: str, method: Callable[[Any], Action], reception: Reception
) -> Callable[[Any, grpc.ServicerContext], Message | bytes]:
    """The method, with every error turned into its status."""

    lane, door = reception.lanes[LANE_OF_METHOD[name]], reception.door
    trailer = (WORKER_METADATA_KEY, str(reception.worker))
    trailers = (trailer,)

    def answer(request: Message | _Unparsable, context: grpc.ServicerContext) -> Message | bytes:
        context.set_trailing_metadata(trailers)
        caller: Caller | None = None
        try:
            if lane.crowded():
                raise Overloaded(RETRY_AFTER_SECONDS)
            if isinstance(request, _Unparsable):
                raise InvalidFields([FieldViolation("request", request.message)])
            action = method(request)
            caller = door.caller(context, name)
            return action(caller)
        except FrostgateError as error:
            if isinstance(error, (StorageUnavailable, OutcomeUnknown, VerificationCodeNotSent)):
                _log.error("%s: %s", error.reason, error.detail)
            reception.refusals.note(caller.principal if caller else "", name, error)
            refusal = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must not see it, and the log must
            refusal = Bug(call_id=str(uuid4()))
            request_id = getattr(request, "request_id", "")
            _log.error("call_id %s, request_id %r failed", refusal.variables["call_id"], request_id, exc_info=error)
        refuse(context, refusal, trailer)

    in_lane(answer, lane)
    return answer


def refuse(context: grpc.ServicerContext, error: FrostgateError, *trailers: tuple[str, str]) -> NoReturn:
    """Ends the call with the error's status, whose details are metadata too."""
    status: Any = rpc_status.to_status(status_of(error))
    context.abort_with_status(status._replace(trailing_metadata=(*status.trailing_metadata, *trailers)))


def _parser(message_class: type[Message]) -> Callable[[bytes], Message | _Unparsable]:
    parse = message_class.FromString

    def parsed(serialized: bytes) -> Message | _Unparsable:
        try:
            return parse(serialized)
        except DecodeError:
            return _Unparsable(f"must be a valid {message_class.DESCRIPTOR.full_name}, its strings UTF-8, but is not")

    return parsed


def _serialized(response: Message | bytes) -> bytes:
    return response if isinstance(response, bytes) else response.SerializeToString()
