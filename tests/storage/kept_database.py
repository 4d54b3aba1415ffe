"""A database with a history, and earlier states of it, for tests that tamper with it."""

import random
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

from benchmarks.fill import OpenTransaction
from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.domain.errors import FrostgateError
from frostgate_server.domain.partner import Partner
from frostgate_server.storage.head import Head
from frostgate_server.storage.interface import Store, Transaction
from frostgate_server.storage.sqlite.admin.backup import backup
from frostgate_server.storage.sqlite.admin.exported_heads import read_head_file
from frostgate_server.storage.sqlite.opening import open_store
from support.subjects import ServiceSubject

CUSTOMERS = 40


CHANGES = 160


def change_something(subject: ServiceSubject, customer_id: str, scope: FreezeScope, chance: random.Random) -> int:
    """Makes a change, or raises FrostgateError."""
    match chance.choices(["associate", "freeze", "unfreeze", "disassociate"], [4, 8, 4, 1])[0]:
        case "associate":
            return subject.associate(customer_id, f"p{chance.randrange(4)}")
        case "freeze":
            return subject.freeze(customer_id, scope)
        case "unfreeze":
            return subject.unfreeze(customer_id, scope)
        case _:
            return subject.disassociate(customer_id)


def update_a_partner(partner_id: str, number: int, transaction: Transaction) -> None:
    partner = Partner(partner_id, number % 8 == 0, f"codes-{number}@example.org")
    transaction.save_partner(partner)
    transaction.append_audit_note(
        AuditNote("anonymous", "UpdatePartner", "", partner_id, datetime.now(UTC), partner=partner)
    )


class Kept:
    """A database with a history, closed; an older state of it; and heads that were exported in between and at last."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "frostgate.db"
        self.older = directory / "older.db"
        self.exported: list[Head] = []
        chance = random.Random(11)
        made = 0
        with closing(open_store(self.path, create=True)) as store:
            for end in (CHANGES // 2, CHANGES * 3 // 4, CHANGES):
                store.run_transaction(partial(make_changes, range(made + 1, end + 1), chance))
                made = end
                if made == CHANGES * 3 // 4:
                    backup(self.path, self.older)
                else:
                    self.exported += read_head_file(self.path)


def make_changes(numbers: range, chance: random.Random, transaction: Transaction) -> None:
    """Makes so many changes in one transaction: a disk is not waited for after each."""
    # Changes need only `submit_transaction` of a store.
    subject = ServiceSubject(cast(Store, OpenTransaction(transaction)))
    for number in numbers:
        change_someone(subject, chance)
        if number % 4 == 0:
            update_a_partner(f"p{chance.randrange(6)}", number, transaction)


def change_someone(subject: ServiceSubject, chance: random.Random) -> None:
    """Makes one change of any customer, after as many attempts as it takes."""
    while True:
        with suppress(FrostgateError):
            change_something(subject, f"c{chance.randrange(CUSTOMERS):02d}", chance.choice(list(FreezeScope)), chance)
            return


def head_path(path: Path) -> Path:
    return path.with_name(path.name + "-head")
