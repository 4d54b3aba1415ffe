"""The two clients: the synchronous one is generated, and has every call of the other with the same signature."""

import inspect
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import frostgate
import pytest
from frostgate.v1.customer_freeze_service_pb2 import DESCRIPTOR as FREEZES
from frostgate.v1.policy_decision_service_pb2 import DESCRIPTOR as DECISIONS
from support.processes import output

CLIENT = Path(__file__).parent.parent.parent / "client"
RPCS = {
    "".join(f"_{c.lower()}" if c.isupper() else c for c in method.name).lstrip("_")
    for file in (DECISIONS, FREEZES)
    for service in file.services_by_name.values()
    for method in service.methods
}
LISTINGS = {"list_customers", "list_freeze_events"}
"""Calls that give an iterator, which is not awaited itself."""


@pytest.mark.parametrize("client", [frostgate.Client, frostgate.aio.Client])
def test_a_client_has_one_method_for_each_rpc(client: type) -> None:
    public = {name for name, _ in inspect.getmembers(client) if not name.startswith("_")}
    assert public == RPCS | {"close"}


@pytest.mark.parametrize("name", sorted(RPCS | {"close", "__init__"}))
def test_both_clients_have_a_call_with_the_same_parameters(name: str) -> None:
    ours, theirs = getattr(frostgate.Client, name), getattr(frostgate.aio.Client, name)
    assert inspect.signature(ours).parameters == inspect.signature(theirs).parameters
    our_types, their_types = get_type_hints(ours), get_type_hints(theirs)
    our_answer, their_answer = our_types.pop("return"), their_types.pop("return")
    assert our_types == their_types
    assert set(our_types) == {*inspect.signature(ours).parameters} - {"self"}
    assert not inspect.iscoroutinefunction(ours)
    assert inspect.iscoroutinefunction(theirs) == (name not in LISTINGS | {"__init__"})
    if name in LISTINGS:
        assert (get_origin(our_answer), get_origin(their_answer)) == (Iterator, AsyncIterator)
        assert get_args(our_answer) == get_args(their_answer) != (Any,)
    else:
        assert our_answer == their_answer


@pytest.mark.parametrize("name", sorted(RPCS | {"close"}))
def test_both_clients_say_the_same_of_a_call(name: str) -> None:
    ours = getattr(frostgate.Client, name).__doc__
    assert ours
    assert ours == getattr(frostgate.aio.Client, name).__doc__


def test_the_synchronous_client_is_the_one_that_is_generated(tmp_path: Path) -> None:
    output(sys.executable, CLIENT / "generate_sync.py", tmp_path)
    generated = sorted((tmp_path / "client" / "src" / "frostgate").iterdir())
    assert [path.name for path in generated] == ["client.py", "connection.py"]
    for path in generated:
        assert path.read_text() == (CLIENT / "src" / "frostgate" / path.name).read_text()
        assert "async" not in path.read_text()
