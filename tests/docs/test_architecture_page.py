"""The architecture page tells the way of a call as real calls go it."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from support.calls import RESOURCES, Calls
from support.traced_server import Trace, Tracer, traced_server

PAGE = (Path(__file__).parent.parent.parent / "docs" / "architecture.md").read_text()

MODULE = re.compile(r"`((?:auth|domain|policy|rpc|services|storage)\.[a-z_.]+)`")

Served = tuple[Calls, Tracer]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server in this process whose calls are traced, warmed up by a call of each kind. It knows customer a.

    The commit thread goes on for a moment after it has answered: the checks at the end give it the time.
    """
    with traced_server(tmp_path_factory.mktemp("traced") / "frostgate.db") as (connection, tracer):
        calls = Calls(connection)
        calls.freeze(customer_id=calls.new_customer("NORMAL"), request_id=str(uuid4()))
        calls.associate(customer_id="a")
        for _ in range(10):
            calls.check(customer_id="a")
        yield calls, tracer


def told(heading: str) -> tuple[list[str], set[str]]:
    """The steps and the helpers that the page names below a heading."""
    section = PAGE.split(f"### {heading}\n")[1].split("\n#")[0]
    items = re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]
    modules = [MODULE.findall(item) for item in items]
    return [first for first, *_ in modules], {helper for _, *helpers in modules for helper in helpers}


def assert_told(trace: Trace, heading: str) -> None:
    steps, helpers = told(heading)
    assert trace.steps == steps
    assert trace.helpers == helpers


def test_a_check_goes_the_way_that_the_page_tells_in_seven_steps(served: Served) -> None:
    calls, tracer = served
    trace = tracer.record(lambda: calls.check(customer_id="a"))
    assert_told(trace, "CheckOperation")
    assert len(trace.steps) <= 7


def test_a_freeze_goes_the_way_that_the_page_tells_in_ten_steps(served: Served) -> None:
    calls, tracer = served
    customer_id = calls.new_customer("NORMAL")
    trace = tracer.record(lambda: calls.freeze(customer_id=customer_id, scope=RESOURCES, request_id=str(uuid4())))
    assert_told(trace, "FreezeCustomer")
    assert len(trace.steps) <= 10


def test_a_refused_freeze_leaves_the_way_at_the_plan(served: Served) -> None:
    """The tracer sees another way where there is one."""
    calls, tracer = served
    customer_id = calls.new_customer()

    def refused() -> None:
        with pytest.raises(Exception, match="already frozen"):
            calls.freeze(customer_id=customer_id)

    trace = tracer.record(refused)
    assert "rpc.status_mapping" in trace.visited
    assert "domain.hash_chain" not in trace.visited
