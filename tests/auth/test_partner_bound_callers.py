"""A caller that is bound to partners learns nothing of others, not even whether there are such."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from frostgate.v1.partner_pb2 import VerificationAction
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.customer_errors import (
    CustomerNotFound,
)
from frostgate_server.domain.errors import (
    PartnerMismatch,
)
from frostgate_server.services.stored_responses import BatchChangeResult, ensure_may_be_told
from frostgate_server.storage.sqlite.admin.audit_log import audit_entries
from support.access import Access
from support.calls import ACCOUNT, RESOURCES, Calls, Refusal, new_id, refusal
from support.server_process import Connection, ServerProcess
from support.statuses import error_info, status_of
from support.worker_in_process import worker_in_process
from support.worker_processes import eventually

MISMATCH = "This is none of the caller's partners, and no customer of theirs."
UPDATE = VerificationAction.VERIFICATION_ACTION_UPDATE_PARTNER


@pytest.fixture(scope="module")
def server(access: Access) -> Iterator[ServerProcess]:
    with access.server("--mail-server=log", "--workers=1") as server:
        yield server


@pytest.fixture(scope="module")
def bound(access: Access, server: ServerProcess) -> Iterator[Calls]:
    """Bound to the partner called "partner"."""
    with access.by_certificate(server, uris=["spiffe://test/partner-center"]) as connection:
        yield Calls(connection)


@pytest.fixture(scope="module")
def operator(access: Access, server: ServerProcess) -> Iterator[Calls]:
    with access.by_certificate(server, uris=["spiffe://test/operator"]) as connection:
        yield Calls(connection)


@pytest.fixture(scope="module")
def stranger(operator: Calls) -> str:
    """A partner with codes enabled, of whom the bound caller must learn nothing."""
    enabled = {"verification_code_enabled": True, "verification_contact": "s@example.org"}
    return operator.update_partner("stranger", **enabled).partner_id  # type: ignore[arg-type] # fields of two kinds


@pytest.fixture(scope="module")
def theirs(operator: Calls, stranger: str) -> str:
    """A customer of the stranger."""
    return operator.associate(customer_id=new_id(), partner_id=stranger).customer.customer_id


ON_CUSTOMERS: dict[str, Callable[[Calls, str], object]] = {
    "freeze": lambda calls, id_: calls.freeze(customer_id=id_, scope=RESOURCES),
    "freeze, validate_only": lambda calls, id_: calls.freeze(customer_id=id_, scope=RESOURCES, validate_only=True),
    "freeze what is frozen": lambda calls, id_: calls.freeze(customer_id=id_),
    "freeze with a code": lambda calls, id_: calls.freeze(customer_id=id_, scope=RESOURCES, verification_code="1"),
    "unfreeze": lambda calls, id_: calls.unfreeze(customer_id=id_),
    "unfreeze another scope": lambda calls, id_: calls.unfreeze(customer_id=id_, scope=RESOURCES),
    "unfreeze, validate_only": lambda calls, id_: calls.unfreeze(customer_id=id_, validate_only=True),
    "disassociate": lambda calls, id_: calls.disassociate(customer_id=id_),
    "disassociate, repeatable": lambda calls, id_: calls.disassociate(customer_id=id_, request_id=str(uuid4())),
    "get": lambda calls, id_: calls.get(id_),
}

ON_PARTNERS: dict[str, Callable[[Calls, str], object]] = {
    "associate": lambda calls, id_: calls.associate(customer_id=new_id(), partner_id=id_),
    "list customers": lambda calls, id_: calls.list(partner_id=id_),
    "list customers, bad token": lambda calls, id_: calls.list(partner_id=id_, page_token="x"),  # noqa: S106 - a page's
    "list events": lambda calls, id_: calls.events(partner_id=id_),
    "get": lambda calls, id_: calls.get_partner(id_),
    "update": lambda calls, id_: calls.update_partner(id_, verification_contact="a@example.org"),
    "enable codes without a contact": lambda calls, id_: calls.update_partner(id_, verification_code_enabled=True),
    "send a code": lambda calls, id_: calls.send_code(id_, UPDATE),
}


def mismatch(found: Refusal) -> None:
    expected: Any = (grpc.StatusCode.PERMISSION_DENIED, "PARTNER_MISMATCH", {}, {}, MISMATCH)
    assert found == expected


@pytest.mark.parametrize("what", ON_CUSTOMERS)
def test_a_strangers_customer_and_nobodys_are_refused_in_the_same_words(bound: Calls, theirs: str, what: str) -> None:
    for customer_id in (theirs, "nobody"):
        mismatch(refusal(lambda customer_id=customer_id: ON_CUSTOMERS[what](bound, customer_id)))  # type: ignore[misc]


@pytest.mark.parametrize("what", ON_PARTNERS)
def test_a_stranger_and_nobody_are_refused_in_the_same_words(bound: Calls, stranger: str, what: str) -> None:
    for partner_id in (stranger, "no-partner"):
        mismatch(refusal(lambda partner_id=partner_id: ON_PARTNERS[what](bound, partner_id)))  # type: ignore[misc]


def test_a_batch_changes_ones_own_and_tells_nothing_of_others(bound: Calls, theirs: str, operator: Calls) -> None:
    own = bound.associate(customer_id=new_id()).customer.customer_id
    answer = bound.batch_freeze(customer_ids=[theirs, own, "nobody"], scope=RESOURCES)
    first, second, third = answer.results
    assert second.customer.customer_id == own
    assert first.error == third.error
    assert (error_info(first.error).reason, first.error.message) == ("PARTNER_MISMATCH", MISMATCH)
    assert operator.get(theirs).customer.freeze_state == operator.get(own).customer.freeze_state - 1


def test_one_may_do_all_with_ones_own(bound: Calls) -> None:
    own = bound.associate(customer_id=new_id()).customer.customer_id
    bound.freeze(customer_id=own, scope=RESOURCES)
    bound.unfreeze(customer_id=own, scope=RESOURCES)
    assert bound.get(own).customer.partner_id == "partner"
    assert own in {customer.customer_id for customer in bound.list(page_size=1000).customers}
    assert bound.get_partner("partner").partner_id == "partner"
    bound.disassociate(customer_id=own)


def test_events_are_those_of_ones_own_partners_only(bound: Calls, operator: Calls, theirs: str) -> None:
    own = bound.associate(customer_id=new_id()).customer.customer_id
    assert {event.partner_id for event in bound.events(page_size=1000).events} == {"partner"}
    assert [event.customer_id for event in bound.events(customer_id=own).events] == [own]
    for nobodys in (theirs, "nobody"):
        assert list(bound.events(customer_id=nobodys).events) == []
    moved = bound.associate(customer_id=new_id()).customer.customer_id
    operator.disassociate(customer_id=moved)
    operator.associate(customer_id=moved, partner_id="elsewhere")
    assert {event.partner_id for event in bound.events(customer_id=moved).events} == {"partner"}


def test_a_page_of_others_events_is_no_page_of_ones_own(bound: Calls, operator: Calls) -> None:
    for _ in range(3):
        bound.associate(customer_id=new_id())
    token = operator.events(page_size=1).next_page_token
    assert refusal(lambda: bound.events(page_size=1, page_token=token)).reason == "PAGE_TOKEN_INVALID"
    token = bound.events(page_size=1).next_page_token
    assert bound.events(page_size=1, page_token=token).events
    narrowed = {"partner_id": "partner", "page_token": token}
    assert refusal(lambda: bound.events(page_size=1, **narrowed)).reason == "PAGE_TOKEN_INVALID"


def test_an_id_that_is_taken_shows_that_it_is(bound: Calls, theirs: str) -> None:
    assert refusal(lambda: bound.associate(customer_id=theirs)).reason == "CUSTOMER_ALREADY_ASSOCIATED"


def test_a_first_answer_is_given_again_only_while_its_partner_is_the_callers(tmp_path: Path) -> None:
    access = Access(tmp_path)
    names = ["spiffe://test/partner-center"]
    with access.server("--workers=1") as server, access.by_certificate(server, uris=names) as connection:
        calls, change = Calls(connection), {"customer_id": new_id(), "request_id": str(uuid4())}
        first = calls.associate(**change)
        assert calls.associate(**change) == first
        text = access.config.read_text()
        access.config.write_text(text.replace('partners = ["partner"]', 'partners = ["another"]'))
        again = eventually(lambda: _reason(lambda: calls.associate(**change)), "refused")
    assert again == "PARTNER_MISMATCH"


def test_a_first_answer_with_refusals_is_given_again_only_while_its_customers_are_the_callers(tmp_path: Path) -> None:
    access = Access(tmp_path)
    names = ["spiffe://test/partner-center"]
    with access.server("--workers=1") as server, access.by_certificate(server, uris=names) as connection:
        calls = Calls(connection)
        frozen, normal = (calls.associate(customer_id=new_id()).customer.customer_id for _ in range(2))
        calls.unfreeze(customer_id=normal)
        change = {"customer_ids": [frozen, normal], "scope": ACCOUNT, "request_id": str(uuid4())}
        first = calls.batch_freeze(**change)
        assert [result.WhichOneof("result") for result in first.results] == ["error", "customer"]
        assert calls.batch_freeze(**change) == first
        text = access.config.read_text()
        access.config.write_text(text.replace('partners = ["partner"]', 'partners = ["another"]'))
        again = eventually(lambda: _reason(lambda: calls.batch_freeze(**change)), "refused")
    assert again == "PARTNER_MISMATCH"


def test_that_a_customer_is_nobodys_is_told_again_only_to_who_may_know() -> None:
    answer = BatchChangeResult((("c", CustomerNotFound(customer_id="c")),), 1, ())
    ensure_may_be_told(Caller(lambda: True), answer)
    with pytest.raises(PartnerMismatch):
        ensure_may_be_told(Caller(lambda: True, "sub:a", frozenset({"p"})), answer)


def test_what_a_known_caller_is_refused_is_in_the_audit_log_and_what_a_stranger_is_is_not(tmp_path: Path) -> None:
    access = Access(tmp_path)
    with worker_in_process(tmp_path / "frostgate.db", access.config) as (address, mtls_address):
        names = ["spiffe://test/partner-center"]
        with Connection(mtls_address, access.certificate(uris=names)) as connection:
            assert _reason(lambda: Calls(connection).get("nobody")) == "PARTNER_MISMATCH"
            assert _reason(lambda: Calls(connection).check(customer_id="a")) == "PERMISSION_DENIED"
            Calls(connection).batch_freeze(customer_ids=["a", "b", "c"], scope=ACCOUNT)
        with Connection(mtls_address, access.certificate(uris=["spiffe://test/nobody"])) as connection:
            assert _reason(lambda: Calls(connection).get("a")) == "PERMISSION_DENIED"
        with Connection(address, access.authority.channel()) as connection:
            assert _reason(lambda: Calls(connection).get("a")) == "UNAUTHENTICATED"
    noted = [entry.note for entry in audit_entries(tmp_path / "frostgate.db", 0)]
    assert {note.principal for note in noted} == {"spiffe://test/partner-center"}
    assert [(note.method, note.reason, note.subject, note.omitted) for note in noted] == [
        ("GetCustomer", "PARTNER_MISMATCH", "nobody", 0),
        ("CheckOperation", "PERMISSION_DENIED", "", 0),
        ("BatchFreezeCustomers", "PARTNER_MISMATCH", "a", 2),
    ]


def _reason(call: Callable[[], object]) -> str:
    """Why a call is refused; nothing if it is not."""
    try:
        call()
    except grpc.RpcError as error:
        return str(error_info(status_of(error)[1]).reason)
    return ""
