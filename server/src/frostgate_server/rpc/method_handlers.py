"""Handlers of methods: authenticate the caller, parse the request, call the servicer, reply.

A caller without identity or role learns nothing about its request, not even that it is malformed. Every error becomes
a status. This module does not depend on how calls arrive: the loop and grpcio's own dispatch use the same handlers.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast
from uuid import uuid4

from google.protobuf.descriptor import Descriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from frostgate_server.auth.interface import Authenticator, Call
from frostgate_server.domain.caller import ANONYMOUS, Caller
from frostgate_server.domain.errors import FieldViolation, FrostgateError, InternalError, InvalidFields, StartupError
from frostgate_server.services.refusal_audit import RefusalAudit

from .messages.request_limits import RequestLimits
from .methods import METHODS
from .reply import Reply, refusal

_log = logging.getLogger(__name__)

WORKER_METADATA_KEY = "frostgate-worker"
"""The key of the trailing metadata that names the worker. Every answer has it."""

Answer = Message | bytes | Future[Message]
ServicerMethod = Callable[[Caller, Any], Answer]
"""Answers a request of a caller who may call the method, at once or with a future. Raises FrostgateError."""


class UnaryCall(Call, Protocol):
    """A call that waits for its reply."""

    def reply(self, reply: Reply) -> None:
        """Answers the call. Must be called once, in any thread."""


@dataclass(frozen=True, slots=True)
class HandlerContext:
    """Shared by all handlers of a worker: the authenticator and the audit of refusals."""

    authenticator: Authenticator
    refusals: RefusalAudit


class MethodHandler:
    """Answers the calls of one method."""

    def __init__(self, name: str, method: ServicerMethod, request_class: type[Message], shared: HandlerContext) -> None:
        """Serves the method by its row of the method table. Raises StartupError if it has none."""
        row = METHODS.get(name)
        if row is None:
            raise StartupError(f"{name} has no row in the method table, rpc/methods.py")
        self.name = name
        self.row = row
        self._method = method
        self._request_class = request_class
        self._request_limits = RequestLimits(cast(Descriptor, request_class.DESCRIPTOR), row.most_items)
        self._authenticator = shared.authenticator
        self._refusals = shared.refusals

    def find_caller(self, call: Call) -> Caller | None:
        """The caller, if it is known without verifying a credential and may call the method. Never waits."""
        return self._authenticator.find_known(call, self.row.roles)

    def find_principal(self, call: Call) -> str:
        """The caller's principal, if it is known without verifying a credential; else an empty string."""
        caller = self.find_caller(call)
        return caller.principal if caller is not None and caller.principal != ANONYMOUS else ""

    def identify(self, call: UnaryCall) -> Caller | None:
        """Authenticates the caller. Returns None if the call was refused."""
        try:
            return self._authenticator.authenticate(call, self.name, self.row.roles)
        except Exception as error:  # noqa: BLE001 - any error must end the call, which otherwise never ends
            call.reply(self.refuse(None, error))
            return None

    def run(self, call: UnaryCall, caller: Caller, serialized: bytes) -> None:
        """Answers the call at once, or when its change is committed."""
        request: Message | None = None
        try:
            caller.ensure_waits()
            request = self._parse(serialized)
            answer = self._method(caller, request)
        except Exception as error:  # noqa: BLE001 - other exceptions go to the log, not to the caller
            call.reply(self.refuse(caller, error, request))
            return
        if isinstance(answer, Future):
            answer.add_done_callback(partial(self._reply_later, call, caller, request))
        else:
            call.reply(_reply(answer))

    def refuse(self, caller: Caller | None, error: BaseException, request: Message | None = None) -> Reply:
        """The reply to a call that failed. Records a refusal for the audit log, and logs a bug."""
        if isinstance(error, FrostgateError):
            if error.detail:
                _log.error("%s: %s", error.reason, error.detail)
            self._refusals.record(caller.principal if caller else "", self.name, error)
            return refusal(error)
        bug = InternalError(call_id=str(uuid4()))
        request_id = getattr(request, "request_id", "")
        _log.error(
            "the call with call_id %s and request_id %r failed", bug.variables["call_id"], request_id, exc_info=error
        )
        return refusal(bug)

    def _parse(self, serialized: bytes) -> Message:
        if len(serialized) > self.row.largest_request:
            problem = f"must have at most {self.row.largest_request} bytes but has {len(serialized)}"
            raise InvalidFields([FieldViolation("request", problem)])
        self._request_limits.ensure_met(serialized)
        try:
            return self._request_class.FromString(serialized)
        except DecodeError:
            name = self._request_class.DESCRIPTOR.full_name
            problem = f"must be a valid {name}, its strings UTF-8, but is not"
            raise InvalidFields([FieldViolation("request", problem)]) from None

    def _reply_later(self, call: UnaryCall, caller: Caller, request: Message, answer: Future[Message]) -> None:
        try:
            reply = _reply(answer.result())
        except (Exception, CancelledError) as error:  # noqa: BLE001 - as in `run`
            reply = self.refuse(caller, error, request)
        call.reply(reply)


def method_handlers(
    service: ServiceDescriptor, servicer: object, shared: HandlerContext
) -> Iterator[tuple[str, MethodHandler]]:
    """The path and the handler of each RPC of a service. The handler calls the servicer's method of the same name.

    Raises StartupError if an RPC has no row in the method table.
    """
    for method in service.methods:
        request_class = GetMessageClass(method.input_type)
        handler = MethodHandler(method.name, getattr(servicer, method.name), request_class, shared)
        yield f"/{service.full_name}/{method.name}", handler


def _reply(answer: Message | bytes) -> Reply:
    return Reply(answer if isinstance(answer, bytes) else answer.SerializeToString())
