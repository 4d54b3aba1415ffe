"""Databases with as many customers as asked for, made by the server's own use cases and kept between runs."""

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from frostgate_server.domain import hash_chain
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.services.commands import AssociateCommand, FreezeCommand, UnfreezeCommand
from frostgate_server.storage import sqlite
from frostgate_server.storage.interface import Store, Transaction
from frostgate_server.storage.sqlite.opening import open_store
from support.subjects import freeze_service

ID_FORMAT = "customer-%07d"
"""Ids are equally long in tables of every size, so that only the size differs."""

STATES = 3
"""Customer 0 is NORMAL, 1 ACCOUNT_FROZEN, 2 ACCOUNT_AND_RESOURCES_FROZEN, and so on in turn."""

_CUSTOMERS_AT_ONCE = 10_000
_PARTNERS = 100

_Result = TypeVar("_Result")


class OpenTransaction:
    """A store whose writes are all part of one transaction: a disk is not waited for after each."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def submit_transaction(self, work: Callable[[Transaction], _Result]) -> Future[_Result]:
        done: Future[_Result] = Future()
        done.set_result(work(self._transaction))
        return done


def filled_database(cache: Path, customers: int) -> Path:
    """The database with this many customers. It is made if there is none, or if how they are made has changed."""
    directory = cache / f"customers-{customers}-{_fingerprint()}"
    if not directory.exists():
        for outdated in cache.glob(f"customers-{customers}-*"):
            shutil.rmtree(outdated)
        print(f"Filling a database with {customers:,} customers …", flush=True)
        unfinished = directory.with_name(directory.name + "-unfinished")
        unfinished.mkdir(parents=True)
        _fill(unfinished / "frostgate.db", customers)
        unfinished.rename(directory)
    return directory / "frostgate.db"


def _fingerprint() -> str:
    """Changes with whatever decides what a database holds."""
    parts = Path(sqlite.__path__[0])
    files = [
        Path(__file__),
        Path(hash_chain.__file__),
        parts / "schema" / "schema.sql",
        parts / "schema" / "migrations.py",
        parts / "row_mapping.py",
    ]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


def _fill(path: Path, customers: int) -> None:
    store = open_store(path, create=True)
    try:
        for start in range(0, customers, _CUSTOMERS_AT_ONCE):
            numbers = range(start, min(start + _CUSTOMERS_AT_ONCE, customers))
            store.run_transaction(partial(_add, numbers))
    finally:
        store.close()


def _add(numbers: range, transaction: Transaction) -> None:
    # Changes need only `submit_transaction` of a store.
    store = cast(Store, OpenTransaction(transaction))
    service = freeze_service(store, timedelta(days=15))
    caller = Caller(waits=lambda: True)
    for number in numbers:
        customer_id = ID_FORMAT % number
        ids = (customer_id,)
        partner_id = f"partner-{number % _PARTNERS:02d}"
        service.change_customer(caller, AssociateCommand(customer_ids=ids, partner_id=partner_id)).result()
        if number % STATES == 0:
            scope, reason = FreezeScope.ACCOUNT, "Debts are paid"
            service.change_customer(caller, UnfreezeCommand(customer_ids=ids, scope=scope, reason=reason)).result()
        elif number % STATES == 2:
            scope, reason = FreezeScope.ACCOUNT_AND_RESOURCES, "Payment is overdue"
            service.change_customer(caller, FreezeCommand(customer_ids=ids, scope=scope, reason=reason)).result()
