"""The statuses that no recording has: of too much load, of changes with an unknown outcome, of bugs and lost callers.

Each is typed out in text format, with everything that a caller receives.
"""

import pytest
from frostgate_server.domain import errors
from frostgate_server.domain.verification_errors import VerificationCodeBeingSent
from frostgate_server.rpc.status_mapping import to_status
from google.protobuf import text_format
from google.rpc.status_pb2 import Status

pytestmark = pytest.mark.both_dispatches(short=False)

CALL_ID = "123e4567-e89b-12d3-a456-426614174000"

STATUSES = [
    (
        errors.Overloaded(1),
        """
        code: 8
        message: "Too many calls are waiting. Try again in 1 s."
        details { [type.googleapis.com/google.rpc.ErrorInfo] {
            reason: "OVERLOADED" domain: "frostgate" metadata { key: "retry_after" value: "1 s" }
        } }
        details { [type.googleapis.com/google.rpc.RetryInfo] { retry_delay { seconds: 1 } } }
        """,
    ),
    (
        errors.CallerLimitReached(1),
        """
        code: 8
        message: "The caller has reached its limit of calls in progress or of calls in a second. Try again in 1 s."
        details { [type.googleapis.com/google.rpc.ErrorInfo] {
            reason: "OVERLOADED" domain: "frostgate" metadata { key: "retry_after" value: "1 s" }
        } }
        details { [type.googleapis.com/google.rpc.RetryInfo] { retry_delay { seconds: 1 } } }
        """,
    ),
    (
        errors.TooManyStreams(1),
        """
        code: 8
        message: "Too many streams are open. Try again in 1 s."
        details { [type.googleapis.com/google.rpc.ErrorInfo] {
            reason: "OVERLOADED" domain: "frostgate" metadata { key: "retry_after" value: "1 s" }
        } }
        details { [type.googleapis.com/google.rpc.RetryInfo] { retry_delay { seconds: 1 } } }
        """,
    ),
    (
        VerificationCodeBeingSent(10),
        """
        code: 8
        message: "Another verification code is being sent to this partner. Try again in 10 s."
        details { [type.googleapis.com/google.rpc.ErrorInfo] {
            reason: "OVERLOADED" domain: "frostgate" metadata { key: "retry_after" value: "10 s" }
        } }
        details { [type.googleapis.com/google.rpc.RetryInfo] { retry_delay { seconds: 10 } } }
        """,
    ),
    (
        errors.OutcomeUnknown("disk I/O error"),
        """
        code: 13
        message: "The change may have been made: repeat it with its request_id to find out."
        details { [type.googleapis.com/google.rpc.ErrorInfo] { reason: "OUTCOME_UNKNOWN" domain: "frostgate" } }
        """,
    ),
    (
        errors.InternalError(call_id=CALL_ID),
        f"""
        code: 13
        message: "Internal error. The server's log has the details under call_id {CALL_ID}."
        details {{ [type.googleapis.com/google.rpc.ErrorInfo] {{
            reason: "INTERNAL" domain: "frostgate" metadata {{ key: "call_id" value: "{CALL_ID}" }}
        }} }}
        """,
    ),
    (
        errors.CallerCancelled(),
        """
        code: 1
        message: "The caller no longer waits."
        details { [type.googleapis.com/google.rpc.ErrorInfo] { reason: "INTERNAL" domain: "frostgate" } }
        """,
    ),
]


@pytest.mark.parametrize(("error", "text"), STATUSES, ids=[type(error).__name__ for error, _ in STATUSES])
def test_a_status_is_serialized_as_typed_out(error: errors.FrostgateError, text: str) -> None:
    expected = text_format.Parse(text, Status())
    assert to_status(error).SerializeToString() == expected.SerializeToString()
