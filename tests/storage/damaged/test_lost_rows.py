"""A customer whose row is lost is never answered as unknown, whatever hid the row."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.storage.sqlite.driver import sqlite3
from storage.damaged.conftest import ASSOCIATED_AGAIN, DISASSOCIATED, customer
from storage.damaged.pages import Pages
from support.calls import ACCOUNT, RESOURCES, Calls, check_of, outcome_of, refusal
from support.server_process import ServerProcess
from support.statuses import error_info
from support.worker_processes import log_with

Damage = Callable[[Path, str], None]


def hidden_in_its_page(path: Path, customer_id: str) -> None:
    pages = Pages(path)
    pages.hide(*pages.find("customers", customer_id))
    pages.write()


def with_a_flipped_bit_in_its_id(path: Path, customer_id: str) -> None:
    pages = Pages(path)
    _, cell = pages.find("customers", customer_id)
    pages.content[cell.key_start + len(customer_id) - 1] ^= 0x40
    pages.write()


def without_a_state(path: Path, customer_id: str) -> None:
    """The header of the row says that the second column is NULL."""
    pages = Pages(path)
    _, cell = pages.find("customers", customer_id)
    serial_types = pages.content[cell.header + 1 : cell.key_start]
    assert serial_types[0] >= 13
    pages.content[cell.header + 2] = 0
    pages.write()


def deleted(path: Path, customer_id: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM customers WHERE customer_id = ?", (customer_id,))


DAMAGES: list[Damage] = [hidden_in_its_page, with_a_flipped_bit_in_its_id, without_a_state, deleted]
LOST = {damage.__name__: customer(40 + 30 * number + 1) for number, damage in enumerate(DAMAGES)}
"""A frozen customer for each kind of damage, in pages of their own."""


@pytest.fixture(scope="module")
def server(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serves a database that lost a row in each way, and allows everything to unknown customers. One second."""
    path = tmp_path_factory.mktemp("lost") / "frostgate.db"
    shutil.copy(sound, path)
    shutil.copy(sound.with_name("frostgate.db-head"), path.with_name("frostgate.db-head"))
    for damage in DAMAGES:
        damage(path, LOST[damage.__name__])
    deleted(path, ASSOCIATED_AGAIN)
    with ServerProcess(path, "--unknown-customer", "allow") as server:
        yield server


CALLS: dict[str, Callable[[Calls, str], object]] = {
    "check": lambda calls, lost: calls.check(customer_id=lost),
    "get": lambda calls, lost: calls.get(lost),
    "associate": lambda calls, lost: calls.associate(customer_id=lost),
    "freeze": lambda calls, lost: calls.freeze(customer_id=lost, scope=RESOURCES),
    "unfreeze": lambda calls, lost: calls.unfreeze(customer_id=lost, scope=ACCOUNT),
    "validate_only": lambda calls, lost: calls.freeze(customer_id=lost, scope=RESOURCES, validate_only=True),
    "disassociate": lambda calls, lost: calls.disassociate(customer_id=lost),
    "a batch of freezes": lambda calls, lost: calls.batch_freeze(customer_ids=[lost], scope=RESOURCES),
    "a batch of unfreezes": lambda calls, lost: calls.batch_unfreeze(customer_ids=[lost, customer(1)]),
}


EVERY_LOST = pytest.mark.parametrize(
    "lost", [*LOST.values(), ASSOCIATED_AGAIN], ids=[*LOST, "deleted after a second life"]
)


@pytest.mark.parametrize("call", CALLS)
@EVERY_LOST
def test_every_call_about_a_lost_customer_is_refused(server: ServerProcess, call: str, lost: str) -> None:
    refused = refusal(lambda: CALLS[call](Calls(server), lost))
    assert (refused.code.name, refused.reason) == ("UNAVAILABLE", "STORAGE_UNAVAILABLE")


@EVERY_LOST
@pytest.mark.parametrize("others", [[], [customer(1), DISASSOCIATED]], ids=["alone", "beside others"])
def test_a_batch_refuses_only_the_checks_of_a_lost_customer(
    server: ServerProcess, lost: str, others: list[str]
) -> None:
    asked = [lost, *others, lost]
    results = Calls(server).batch_check([check_of(customer_id=one) for one in asked]).results
    reasons = [error_info(result.error).reason if result.HasField("error") else "" for result in results]
    assert reasons == ["STORAGE_UNAVAILABLE", *[""] * len(others), "STORAGE_UNAVAILABLE"]
    assert log_with(server, "STORAGE_UNAVAILABLE: the row of customer ")


def test_checks_beside_one_of_a_lost_customer_are_answered(server: ServerProcess) -> None:
    """The loop answers checks that wait together from one read, which fails for all of them."""
    asked = [customer(1), *LOST.values(), customer(2), DISASSOCIATED] * 20
    answers = [server.decisions.CheckOperation.future(check_of(customer_id=one)) for one in asked]
    for one, answer in zip(asked, answers, strict=True):
        assert outcome_of(answer) == ("STORAGE_UNAVAILABLE" if one in LOST.values() else "OK")


@pytest.mark.parametrize("customer_id", ["never-seen", DISASSOCIATED, f"{customer(1)}x", "zzz"])
def test_a_customer_without_events_or_disassociated_is_unknown(server: ServerProcess, customer_id: str) -> None:
    calls = Calls(server)
    alone = calls.check(customer_id=customer_id)
    (in_batch,) = calls.batch_check([check_of(customer_id=customer_id)]).results
    for answer in (alone, in_batch.response):
        assert not answer.HasField("freeze_state")
        assert answer.decision == 1
    assert refusal(lambda: calls.get(customer_id)).reason == "CUSTOMER_NOT_FOUND"


@pytest.mark.parametrize("damage", [hidden_in_its_page, deleted])
def test_customers_on_the_same_page_are_served(server: ServerProcess, damage: Damage) -> None:
    calls = Calls(server)
    number = int(LOST[damage.__name__][-4:])
    for neighbour in (customer(number - 1), customer(number + 1)):
        assert calls.get(neighbour).customer.customer_id == neighbour
        assert calls.check(customer_id=neighbour).HasField("freeze_state")
