"""A change with a code: two transactions and a comparison between them, and no thread that waits."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, get_ident

import pytest
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.customer import FreezeEvent
from frostgate_server.domain.customer_errors import CustomerNotFound
from frostgate_server.domain.enums import FreezeEventAction, FreezeScope, FreezeState, VerificationAction
from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import CodeKey, CodeLimits, Purpose, SentCode
from frostgate_server.domain.verification_errors import VerificationCodeInvalid
from frostgate_server.services.code_verifier import CodeVerifier
from frostgate_server.services.commands import AssociateCommand, FreezeCommand, UnfreezeCommand
from frostgate_server.services.customer_service import CustomerService
from frostgate_server.services.stored_responses import ChangeResult
from frostgate_server.storage.interface import Transaction
from frostgate_server.storage.sqlite import group_commit
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.files.head_file import HeadFile
from frostgate_server.storage.sqlite.files.paths import head_path
from frostgate_server.storage.sqlite.opening import open_store
from frostgate_server.storage.sqlite.store import SqliteStore
from support.processes import PATIENCE
from support.subjects import NoRefusals
from support.worker_processes import eventually

CALLER = Caller(waits=lambda: True)
PURPOSE = Purpose.of("p", VerificationAction.FREEZE, ["a"], FreezeScope.ACCOUNT)


class ObservedKey(CodeKey):
    """A key that does something else each time before it compares."""

    def __init__(self) -> None:
        super().__init__(b"k" * 32)
        self.before_comparing: Callable[[], object] = lambda: None

    def matches(self, sent: SentCode, purpose: Purpose, code: str) -> bool:
        self.before_comparing()
        return super().matches(sent, purpose, code)


class Desk:
    """A partner with codes enabled and one customer, who is NORMAL, and a code that was sent to freeze it.

    A lock of `head_file` keeps the store from its next group of changes.
    """

    def __init__(self, store: SqliteStore, path: Path, head_file: HeadFile) -> None:
        self.store = store
        self.path = path
        self.head_file = head_file
        self.key = ObservedKey()
        self.verifier = CodeVerifier(store, self.key, CodeLimits())
        self.service = CustomerService(store, self.verifier, NoRefusals(), timedelta(days=15))
        ids, scope = ("a",), FreezeScope.ACCOUNT
        self.service.change_customer(CALLER, AssociateCommand(customer_ids=ids, partner_id="p")).result(PATIENCE)
        unfreeze = UnfreezeCommand(customer_ids=ids, scope=scope, reason="paid")
        self.service.change_customer(CALLER, unfreeze).result(PATIENCE)
        partner = Partner("p", verification_code_enabled=True, verification_contact="a@b")
        store.run_transaction(lambda transaction: transaction.save_partner(partner))
        self.code = store.run_transaction(partial(self.verifier.make, purpose=PURPOSE, contact="a@b")).code

    def freeze(self, code: str) -> Future[ChangeResult]:
        scope = FreezeScope.ACCOUNT
        command = FreezeCommand(customer_ids=("a",), scope=scope, reason="unpaid", verification_code=code)
        return self.service.change_customer(CALLER, command)

    def counted(self) -> tuple[int, int]:
        """The failures of the partner and the tries of its code, as another connection sees them."""
        with closing(connect(self.path)) as connection:
            ((failures,),) = connection.execute("SELECT count(*) FROM verification_counts WHERE kind = 2").fetchall()
            tries = connection.execute("SELECT tries FROM verification_codes").fetchall()
        return failures, tries[0][0] if tries else 0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    path = tmp_path / "frostgate.db"
    with closing(open_store(path, create=True)) as store, closing(HeadFile(head_path(path))) as head_file:
        yield Desk(store, path, head_file)


def test_a_try_is_on_disk_before_its_code_is_compared(desk: Desk) -> None:
    seen = []
    desk.key.before_comparing = lambda: seen.append(desk.counted())
    assert isinstance(desk.freeze("wrong").exception(PATIENCE), VerificationCodeInvalid)
    assert seen == [(1, 1)]
    assert desk.counted() == (1, 1)
    assert desk.freeze(desk.code).result(PATIENCE).revision == 3
    assert seen == [(1, 1), (2, 2)]
    assert desk.counted() == (1, 0)


def test_no_thread_waits_while_a_change_is_made(desk: Desk) -> None:
    threads = []
    desk.key.before_comparing = lambda: threads.append(get_ident())
    with desk.head_file.locked():
        change = desk.freeze(desk.code)
        assert not change.done()
    assert change.result(PATIENCE).revision == 3
    assert threads == [desk.store._group_commit._thread.ident]


def disassociate(transaction: Transaction) -> None:
    action, state = FreezeEventAction.DISASSOCIATED, FreezeState.NORMAL
    event = FreezeEvent(3, "a", "p", action, None, state, None, "gone", "anonymous", "", datetime.now(UTC))
    transaction.append_event(event, None)


def test_a_right_code_is_given_back_if_its_change_is_refused_after_the_comparison(desk: Desk) -> None:
    desk.key.before_comparing = lambda: desk.store.submit_transaction(disassociate)
    assert isinstance(desk.freeze(desk.code).exception(PATIENCE), CustomerNotFound)
    assert desk.counted() == (0, 0)
    assert desk.store.run_transaction(lambda transaction: transaction.get_code("p")) is not None


def test_a_try_stays_counted_if_the_second_transaction_is_withdrawn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = Event()
    with ExitStack() as lock:

        def before_comparing() -> None:
            """In the commit thread, which has no lock between two groups."""
            lock.enter_context(desk.head_file.locked())
            compared.set()

        desk.key.before_comparing = before_comparing
        change = desk.freeze(desk.code)
        assert compared.wait(PATIENCE)
        monkeypatch.setattr(group_commit, "WRITE_TIMEOUT", 0.0)
        eventually(lambda: len(desk.store._group_commit._waiting) == 1, "submitted")
        desk.store.withdraw_overdue()
        assert isinstance(change.exception(0), StorageUnavailable)
    assert desk.counted() == (1, 1)
