"""The one table of errors: every error has a code and a published reason, and says no more than it should."""

import logging
from concurrent.futures import Future
from typing import NoReturn, cast

import grpc
import pytest
from frostgate.v1 import customer_pb2, error_reason_pb2, policy_pb2
from frostgate.v1.policy_decision_service_pb2 import ListRulesRequest
from frostgate_server.auth.interface import AnonymousAuthenticator
from frostgate_server.domain import enums
from frostgate_server.domain.errors import (
    CallerLimitReached,
    FieldViolation,
    FrostgateError,
    InvalidFields,
    KeptAnswersFull,
    MethodNotPermitted,
    OutcomeUnknown,
    Overloaded,
    PartnerMismatch,
    StartupError,
    StorageUnavailable,
    TooManyStreams,
)
from frostgate_server.domain.verification_errors import (
    VerificationCodeBeingSent,
    VerificationCodeInvalid,
    VerificationCodeNotSent,
    VerificationRateLimited,
)
from frostgate_server.rpc.method_handlers import HandlerContext, MethodHandler, ServicerMethod
from frostgate_server.rpc.reply import Reply
from frostgate_server.rpc.status_mapping import to_status
from frostgate_server.services.refusal_audit import RefusalAudit
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from support.statuses import error_info
from support.subjects import NoRefusals


def kinds(base: type[FrostgateError] = FrostgateError) -> list[type[FrostgateError]]:
    """The errors that are raised: those without a level below them."""
    found = [kind for sub in base.__subclasses__() for kind in (kinds(sub) or [sub])]
    return sorted(found, key=lambda kind: kind.__name__)


def example(kind: type[FrostgateError]) -> FrostgateError:
    special: dict[type[FrostgateError], FrostgateError] = {
        InvalidFields: InvalidFields([FieldViolation("f", "must be g")]),
        Overloaded: Overloaded(1),
        CallerLimitReached: CallerLimitReached(1),
        TooManyStreams: TooManyStreams(1),
        VerificationCodeBeingSent: VerificationCodeBeingSent(10),
        KeptAnswersFull: KeptAnswersFull(1, "sub:a", 2000),
        VerificationRateLimited: VerificationRateLimited("sent", 60, "a secret"),
        VerificationCodeInvalid: VerificationCodeInvalid("a secret"),
        PartnerMismatch: PartnerMismatch("a secret"),
        MethodNotPermitted: MethodNotPermitted("sub:a", "GetCustomer", known=True),
    }
    if kind in special:
        return special[kind]
    if issubclass(kind, (StorageUnavailable, OutcomeUnknown, VerificationCodeNotSent)):
        return kind("/var/secret is full")
    names = [part.split("}")[0] for part in kind.template.split("{")[1:]]
    return kind(**{name: f"<{name}>" for name in names})


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_a_published_reason_and_metadata_for_its_message(kind: type[FrostgateError]) -> None:
    error = example(kind)
    status = to_status(error)
    info = error_info(status)
    assert status.code != grpc.StatusCode.OK.value[0]
    assert f"ERROR_REASON_{info.reason}" in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118 - it is no dict
    assert status.message == kind.template.format(**info.metadata)
    assert "secret" not in str(status)


def wire_words(enum: EnumDescriptor) -> dict[str, int]:
    prefix = "".join(f"_{c}" if c.isupper() else c.upper() for c in enum.name).lstrip("_") + "_"
    return {value.name.removeprefix(prefix): value.number for value in enum.values if value.number}


@pytest.mark.parametrize(
    "enum",
    [*policy_pb2.DESCRIPTOR.enum_types_by_name.values(), *customer_pb2.DESCRIPTOR.enum_types_by_name.values()],
    ids=lambda enum: enum.name,
)
def test_the_enums_have_the_numbers_of_the_wire(enum: EnumDescriptor) -> None:
    words = getattr(enums, enum.name)
    assert {word.name: word.value for word in words} == wire_words(enum)


class WaitingCall:
    """A call, as its handler needs it."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def auth_context(self) -> dict[str, list[bytes]]:
        return {}

    def invocation_metadata(self) -> None:
        """It has no headers."""

    def is_active(self) -> bool:
        return True

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def reply(self, reply: Reply) -> None:
        self.replies.append(reply)


def shared() -> HandlerContext:
    return HandlerContext(AnonymousAuthenticator(), cast(RefusalAudit, NoRefusals()))


def bug(*_: object) -> NoReturn:
    raise KeyError("secret")


def later_bug(*_: object) -> Future[Message]:
    answer: Future[Message] = Future()
    answer.set_exception(KeyError("secret"))
    return answer


@pytest.mark.parametrize("buggy", [bug, later_bug], ids=["at once", "by a future"])
def test_a_bug_is_internal_and_only_the_log_knows_more(caplog: pytest.LogCaptureFixture, buggy: ServicerMethod) -> None:
    call = WaitingCall()
    with caplog.at_level(logging.ERROR):
        handler = MethodHandler("ListRules", buggy, ListRulesRequest, shared())
        caller = handler.identify(call)
        assert caller is not None
        handler.run(call, caller, b"")
    (reply,) = call.replies
    assert (reply.message, reply.code) == (None, grpc.StatusCode.INTERNAL.value[0])
    status = Status.FromString(reply.status)
    call_id = error_info(status).metadata["call_id"]
    assert call_id in status.message
    assert reply.details == status.message
    assert "secret" not in str(status)
    assert call_id in caplog.text
    assert "KeyError: 'secret'" in caplog.text


def test_a_method_without_a_row_in_the_method_table_keeps_the_server_from_starting() -> None:
    with pytest.raises(StartupError, match=r"CountCustomers has no row in the method table, rpc/methods\.py"):
        MethodHandler("CountCustomers", bug, ListRulesRequest, shared())
