"""The log as JSON and as text: changes, refusals and tracebacks, in UTC, and never a credential or a second line."""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from support.access import Access
from support.calls import ACCOUNT, RESOURCES, Calls, new_id
from support.every_call import outcome
from support.processes import PATIENCE, run
from support.server_process import ServerProcess
from support.worker_processes import eventually, log_with

REQUEST_ID = "9f1c7a5e-4d0b-4a64-9d8e-2c6f1b3a7e10"
CODE = "31415926"
LOG = "import logging; from frostgate_server.observability.logging_setup import log_to_stderr; "


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Access:
    """The callers of the server."""
    return Access(tmp_path_factory.mktemp("json"))


@pytest.fixture(scope="module")
def server(access: Access) -> Iterator[ServerProcess]:
    """A server with callers that logs JSON."""
    with access.server("--workers", "1", "--log-format", "json") as server:
        yield server


def lines(server: ServerProcess, **members: Any) -> list[dict[str, Any]]:
    """The lines of a JSON log that have these members."""
    found = [json.loads(line) for line in server.log.read_text().splitlines()]
    return [line for line in found if members.items() <= line.items()]


def line_of(server: ServerProcess, **members: Any) -> dict[str, Any]:
    """The first line that has these members. A thread writes it, perhaps after the answer."""
    found: list[dict[str, Any]] = eventually(lambda: lines(server, **members), f"logged {members}")
    return found[0]


def associated(access: Access, server: ServerProcess, **more: str) -> str:
    """A new customer of the partner, which the operator associates."""
    customer_id = new_id()
    request = pb.AssociateCustomerRequest(customer_id=customer_id, partner_id="partner", **more)
    server.freezes.AssociateCustomer(request, timeout=PATIENCE, metadata=access.token("operator"))
    return customer_id


def test_a_change_makes_one_line_with_request_id_actor_and_revision(access: Access, server: ServerProcess) -> None:
    customer_id = associated(access, server)
    request = pb.FreezeCustomerRequest(
        customer_id=customer_id, scope=RESOURCES, reason="unpaid", request_id=REQUEST_ID, verification_code=CODE
    )
    before = datetime.now(UTC) - timedelta(seconds=1)
    answers = [
        server.freezes.FreezeCustomer(request, timeout=PATIENCE, metadata=access.token("operator")) for _ in range(2)
    ]
    assert answers[0] == answers[1]
    second = associated(access, server)
    line_of(server, customer_id=second)
    (line,) = lines(server, customer_id=customer_id, method="FreezeCustomer")
    assert before < datetime.fromisoformat(line.pop("time")) < datetime.now(UTC)
    assert line.pop("logger").startswith("frostgate_server.")
    assert line.pop("message")
    assert line == {
        "level": "INFO",
        "process": "worker 1",
        "method": "FreezeCustomer",
        "action": "FROZEN",
        "customer_id": customer_id,
        "partner_id": "partner",
        "freeze_state": "ACCOUNT_AND_RESOURCES_FROZEN",
        "revision": answers[0].revision,
        "actor": "sub:operator",
        "request_id": REQUEST_ID,
    }
    assert CODE not in server.log.read_text()


def test_a_batch_makes_a_line_for_each_customer_that_changes(access: Access, server: ServerProcess) -> None:
    ids = [associated(access, server) for _ in range(3)]
    request = pb.BatchUnfreezeCustomersRequest(customer_ids=[*ids, "unknown"], scope=ACCOUNT, reason="paid")
    for validate_only in (True, False):
        request.validate_only = validate_only
        answer = server.freezes.BatchUnfreezeCustomers(request, timeout=PATIENCE, metadata=access.token("operator"))
    line_of(server, customer_id=ids[-1], action="UNFROZEN")
    found = lines(server, method="BatchUnfreezeCustomers", level="INFO")
    assert [(line["customer_id"], line["revision"]) for line in found] == [
        (customer_id, answer.revision - 2 + number) for number, customer_id in enumerate(ids)
    ]


def test_a_refusal_has_method_peer_and_reason_and_no_token(access: Access, server: ServerProcess) -> None:
    token = access.token("auditor")
    outcome(server, "FreezeCustomer", token)
    line = line_of(server, method="FreezeCustomer", logger="frostgate_server.auth.authenticator")
    assert re.fullmatch(r"(ipv4:127\.0\.0\.1|ipv6:\[::1\]):\d+", line["peer"])
    assert "sub:auditor has the role auditor" in line["reason"]
    assert not any(part in server.log.read_text() for part in token[0][1].removeprefix("Bearer ").split("."))


def test_a_refusal_after_authentication_has_the_caller_too(access: Access, server: ServerProcess) -> None:
    request = pb.GetCustomerRequest(customer_id="stranger\nERROR\x1b[2J")
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        server.freezes.GetCustomer(request, timeout=PATIENCE, metadata=access.token("auditor"))
    line = line_of(server, method="GetCustomer", reason="INVALID_FIELD")
    assert line["actor"] == "sub:auditor"
    assert re.fullmatch(r"(ipv4:127\.0\.0\.1|ipv6:\[::1\]):\d+", line["peer"])


def test_control_characters_of_a_caller_are_escaped(access: Access, server: ServerProcess) -> None:
    outcome(server, "GetPartner", access.token("a\nERROR forged\x1b[2J"))
    outcome(server, "ListRules")
    lines(server)
    assert "\x1b" not in server.log.read_text()


def test_text_is_in_utc_wherever_the_server_runs(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "f.db", variables={"TZ": "Asia/Tokyo"}) as server:
        customer_id = Calls(server).new_customer()
        Calls(server).update_partner("partner", verification_contact="secret@b.example")
        log = log_with(server, "UpdatePartner: partner partner is updated, by anonymous")
        match = re.search(r"^(\S+)Z INFO worker 1: \S+: (AssociateCustomer: .*)$", log, re.MULTILINE)
        assert match, log
        assert abs(datetime.now(UTC) - datetime.fromisoformat(match[1] + "+00:00")) < timedelta(hours=1)
        assert match[2] == (
            f"AssociateCustomer: customer {customer_id} of partner is ACCOUNT_FROZEN at revision 1, by anonymous"
        )
        assert "secret@b" not in log


def test_a_traceback_makes_lines_of_json_only() -> None:
    program = LOG + "log_to_stderr('info', 'test', 'json'); print('said', file=__import__('sys').stderr); "
    failing = "\ntry: int('a\\nERROR')\nexcept ValueError: logging.exception('failed')\n1 / 0"
    found = [json.loads(line) for line in run(sys.executable, "-c", program + failing).stderr.splitlines()]
    assert [line["message"] for line in found[:2]] == ["said", "failed"]
    assert "ValueError" in found[1]["exception"]
    assert found[-1]["message"] == "ZeroDivisionError: division by zero"


def test_a_traceback_in_text_has_no_line_that_looks_like_another_line_of_the_log() -> None:
    failing = "log_to_stderr('info', 'test')\ntry: raise ValueError('a\\nERROR forged\\x1b')\n"
    said = run(sys.executable, "-c", LOG + failing + "except ValueError: logging.exception('failed')").stderr
    first, *rest = said.splitlines()
    assert first.endswith("ERROR test: root: failed")
    assert "  ERROR forged\\x1b" in rest
    assert all(line.startswith("  ") for line in rest)
