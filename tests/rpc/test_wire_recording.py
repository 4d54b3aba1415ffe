"""The current server answers the recorded calls byte for byte as recorded."""

import base64
from itertools import product
from pathlib import Path

import pytest
from support.recordings.raw_calls import METHODS, reasons_in
from support.recordings.wire_recording import read, replay
from support.runner.sizes import members

RECORDED = Path(__file__).parent / "recorded"
RECORDINGS = sorted(file.stem for file in RECORDED.glob("*.jsonl"))
SHOWN = 5
"""Differences in a failure: after the first one, the state of the customers may differ too."""
MANY_STARTS = {"codes-not-sent", "listings"}
"""They start a server four times: they are replayed in the long form only."""


@pytest.mark.parametrize(
    ("name", "dispatch"),
    members(
        product(RECORDINGS, ["loop", "grpcio"]),
        short=[("transitions", "grpcio"), *((name, "loop") for name in RECORDINGS if name not in MANY_STARTS)],
    ),
    indirect=["dispatch"],
    scope="module",
)
@pytest.mark.usefixtures("dispatch")
def test_every_recorded_call_is_answered_as_recorded(name: str, tmp_path: Path) -> None:
    differences = replay(RECORDED / f"{name}.jsonl", tmp_path)
    shown = "\n".join(differences[:SHOWN])
    assert not differences, f"{len(differences)} answers differ:\n\n{shown}"


RECORDED_METHODS = {
    *("CheckOperation", "BatchCheckOperations", "ListRules", "AssociateCustomer", "DisassociateCustomer"),
    *("FreezeCustomer", "UnfreezeCustomer", "BatchFreezeCustomers", "BatchUnfreezeCustomers", "GetCustomer"),
    *("ListCustomers", "ListFreezeEvents", "GetPartner", "UpdatePartner", "SendVerificationCode"),
}
"""Those of the version that was recorded."""


def test_the_recordings_have_every_recorded_method_and_every_reason_that_a_caller_can_cause() -> None:
    methods: set[str] = set()
    reasons: set[str] = set()
    for line in (line for name in RECORDINGS for line in read(RECORDED / f"{name}.jsonl")):
        if "clock" in line:
            continue
        methods.add(line["method"])
        reasons.update(reasons_in(line["method"], line.get("code", "OK"), base64.b64decode(line["answer"])))
    assert methods == RECORDED_METHODS <= set(METHODS)
    assert reasons == {
        "INVALID_FIELD",
        "OPERATION_NOT_APPLICABLE",
        "REQUEST_ID_REUSED",
        "PAGE_TOKEN_INVALID",
        "CUSTOMER_NOT_FOUND",
        "PARTNER_NOT_FOUND",
        "CUSTOMER_ALREADY_ASSOCIATED",
        "ALREADY_FROZEN",
        "NOT_FROZEN",
        "SCOPE_MISMATCH",
        "VERIFICATION_CODE_REQUIRED",
        "VERIFICATION_CODE_INVALID",
        "VERIFICATION_RATE_LIMITED",
        "VERIFICATION_NOT_ENABLED",
        "VERIFICATION_NOT_CONFIGURED",
        "VERIFICATION_CODE_NOT_SENT",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "PARTNER_MISMATCH",
        "REVISION_NOT_REACHED",
        "STORAGE_UNAVAILABLE",
    }
