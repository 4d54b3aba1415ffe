"""Ways to tamper with the rows of a database, each in SQL."""

import random
from collections.abc import Callable

from frostgate_server.domain.hash_chain import GENESIS, hash_audit_entry, hash_event
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.row_mapping import (
    ENTRY_COLUMNS,
    EVENT_COLUMNS,
    checksum,
    make_partner_row,
    read_entry_row,
    read_event_row,
)
from storage.kept_database import CHANGES, CUSTOMERS

ANOTHER_HASH = "CASE substr(hash, 1, 1) WHEN '0' THEN '1' ELSE '0' END || substr(hash, 2)"
"""Whatever the hash is: another one, as long."""


def edit_an_event(connection: sqlite3.Connection, chance: random.Random) -> None:
    revision = chance.randint(1, last(connection))
    column, value = chance.choice(
        [
            ("customer_id", "'c99'"),
            ("partner_id", "'p9'"),
            ("action", "action % 4 + 1"),
            ("scope", "coalesce(scope, 0) % 2 + 1"),
            ("state_before", "coalesce(state_before, 0) % 3 + 1"),
            ("state_after", "coalesce(state_after, 0) % 3 + 1"),
            ("reason", "reason || ' or not'"),
            ("actor", "'nobody'"),
            ("request_id", "request_id || '0'"),
            ("event_time", "event_time + 1"),
            ("retention_expire_time", "coalesce(retention_expire_time, event_time) + 1"),
            ("hash", ANOTHER_HASH),
        ]
    )
    connection.execute(f"UPDATE events SET {column} = {value} WHERE revision = ?", (revision,))


def delete_an_event(connection: sqlite3.Connection, chance: random.Random) -> None:
    connection.execute("DELETE FROM events WHERE revision = ?", (chance.randint(1, last(connection)),))


def swap_two_events(connection: sqlite3.Connection, chance: random.Random) -> None:
    one, other = chance.sample(range(1, last(connection) + 1), 2)
    for now, then in ((one, -1), (other, one), (-1, other)):
        connection.execute("UPDATE events SET revision = ? WHERE revision = ?", (then, now))


def delete_the_tail(connection: sqlite3.Connection, chance: random.Random) -> None:
    end = chance.randint(0, last(connection) - 1)
    connection.execute("DELETE FROM events WHERE revision > ?", (end,))
    (found,) = connection.execute("SELECT hash FROM events WHERE revision = ?", (end,)).fetchall() or [(GENESIS,)]
    connection.execute("UPDATE head SET revision = ?, hash = ?", (end, found[0]))


def rewrite_an_event_and_all_hashes_after_it(connection: sqlite3.Connection, chance: random.Random) -> None:
    revision = chance.randint(1, last(connection))
    connection.execute("UPDATE events SET reason = 'another one', actor = 'nobody' WHERE revision = ?", (revision,))
    recompute(connection)


def forget_a_customer_and_recompute_all_hashes(connection: sqlite3.Connection, chance: random.Random) -> None:
    rows = connection.execute("SELECT DISTINCT customer_id FROM events WHERE revision <= ?", (CHANGES // 2,)).fetchall()
    (customer_id,) = chance.choice(rows)
    connection.execute("DELETE FROM events WHERE customer_id = ?", (customer_id,))
    connection.execute("DELETE FROM customers WHERE customer_id = ?", (customer_id,))
    recompute(connection)


def recompute(connection: sqlite3.Connection) -> None:
    """As one who knows how hashes are made."""
    hash_ = GENESIS
    for row in connection.execute(f"SELECT {EVENT_COLUMNS} FROM events ORDER BY revision").fetchall():
        hash_ = hash_event(hash_, read_event_row(row))
        connection.execute("UPDATE events SET hash = ? WHERE revision = ?", (hash_, row[0]))
    connection.execute("UPDATE head SET hash = ?", (hash_,))


def edit_a_customer(connection: sqlite3.Connection, chance: random.Random) -> None:
    customer_id = chance.choice(customers(connection))
    column, value = chance.choice(
        [
            ("freeze_state", "freeze_state % 3 + 1"),
            ("revision", "revision + 1"),
            ("partner_id", "'p' || (substr(partner_id, 2) + 1) % 4"),
            ("freeze_reason", "coalesce(freeze_reason, '') || '!'"),
            ("freeze_time", "coalesce(freeze_time, 0) + 1"),
            ("retention_expire_time", "coalesce(retention_expire_time, 0) + 1"),
            ("associate_time", "associate_time + 1"),
            ("update_time", "update_time - 1"),
        ]
    )
    connection.execute(f"UPDATE customers SET {column} = {value} WHERE customer_id = ?", (customer_id,))
    row = connection.execute("SELECT freeze_state, revision FROM customers WHERE customer_id = ?", (customer_id,))
    ((state, revision),) = row.fetchall()
    fitting = checksum(customer_id, state, revision)
    connection.execute("UPDATE customers SET checksum = ? WHERE customer_id = ?", (fitting, customer_id))


def delete_a_customer(connection: sqlite3.Connection, chance: random.Random) -> None:
    connection.execute("DELETE FROM customers WHERE customer_id = ?", (chance.choice(customers(connection)),))


def invent_a_customer(connection: sqlite3.Connection, chance: random.Random) -> None:
    customer_id, template = f"c{chance.randrange(CUSTOMERS):02d}x", chance.choice(customers(connection))
    connection.execute(
        "INSERT INTO customers SELECT ?, freeze_state, revision, ?, partner_id, freeze_reason, freeze_time, "
        "retention_expire_time, associate_time, update_time FROM customers WHERE customer_id = ?",
        (customer_id, 0, template),
    )
    ((state, revision),) = connection.execute(
        "SELECT freeze_state, revision FROM customers WHERE customer_id = ?", (customer_id,)
    ).fetchall()
    fitting = checksum(customer_id, state, revision)
    connection.execute("UPDATE customers SET checksum = ? WHERE customer_id = ?", (fitting, customer_id))


def bend_the_partners(connection: sqlite3.Connection, chance: random.Random) -> None:
    one = "WHERE partner_id = (SELECT min(partner_id) FROM partners)"
    bends = [
        f"INSERT INTO partners (partner_id) VALUES ('p{chance.randrange(10, 99)}')",
        f"DELETE FROM partners {one}",
        f"UPDATE partners SET verification_code_enabled = 1 - verification_code_enabled {one}",
        f"UPDATE partners SET verification_contact = 'mallory@example.org' {one}",
    ]
    connection.execute(chance.choice(bends))


def edit_an_audit_entry(connection: sqlite3.Connection, chance: random.Random) -> None:
    column, value = chance.choice(
        [
            ("principal", "'nobody'"),
            ("method", "method || 's'"),
            ("reason", "reason || '!'"),
            ("subject", "'p9'"),
            ("note_time", "note_time + 1"),
            ("omitted", "omitted + 1"),
            ("partner_id", "NULL"),
            ("verification_code_enabled", "1 - verification_code_enabled"),
            ("verification_contact", "'mallory@example.org'"),
            ("hash", ANOTHER_HASH),
        ]
    )
    connection.execute(
        f"UPDATE audit_entries SET {column} = {value} WHERE sequence = ?", (an_entry(connection, chance),)
    )


def delete_an_audit_entry(connection: sqlite3.Connection, chance: random.Random) -> None:
    connection.execute("DELETE FROM audit_entries WHERE sequence = ?", (an_entry(connection, chance),))


def delete_the_tail_of_the_audit_log(connection: sqlite3.Connection, chance: random.Random) -> None:
    """As one who puts the partners back to what they were, too."""
    end = an_entry(connection, chance) - 1
    connection.execute("DELETE FROM audit_entries WHERE sequence > ?", (end,))
    (found,) = connection.execute("SELECT hash FROM audit_entries WHERE sequence = ?", (end,)).fetchall() or [
        (GENESIS,)
    ]
    connection.execute("UPDATE head SET audit_sequence = ?, audit_hash = ?", (end, found[0]))
    put_the_partners_back(connection)


def rewrite_an_audit_entry_and_all_hashes_after_it(connection: sqlite3.Connection, chance: random.Random) -> None:
    """An entry from before the last head was exported, as all are."""
    update = "UPDATE audit_entries SET verification_contact = 'mallory@example.org' WHERE sequence = ?"
    connection.execute(update, (an_entry(connection, chance),))
    hash_ = GENESIS
    for row in connection.execute(f"SELECT {ENTRY_COLUMNS} FROM audit_entries ORDER BY sequence").fetchall():
        hash_ = hash_audit_entry(hash_, read_entry_row(row))
        connection.execute("UPDATE audit_entries SET hash = ? WHERE sequence = ?", (hash_, row[0]))
    connection.execute("UPDATE head SET audit_hash = ?", (hash_,))
    put_the_partners_back(connection)


def put_the_partners_back(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE partners SET verification_code_enabled = 0, verification_contact = ''")
    entries = connection.execute(f"SELECT {ENTRY_COLUMNS} FROM audit_entries ORDER BY sequence").fetchall()
    for entry in map(read_entry_row, entries):
        if entry.note.partner:
            connection.execute("INSERT OR REPLACE INTO partners VALUES (?, ?, ?)", make_partner_row(entry.note.partner))


def an_entry(connection: sqlite3.Connection, chance: random.Random) -> int:
    ((sequence,),) = connection.execute("SELECT max(sequence) FROM audit_entries").fetchall()
    return chance.randint(1, sequence)


def bend_the_head(connection: sqlite3.Connection, chance: random.Random) -> None:
    connection.execute(
        chance.choice(
            [
                "UPDATE head SET revision = revision - 1",
                "UPDATE head SET revision = revision + 7",
                f"UPDATE head SET hash = {ANOTHER_HASH}",
                "UPDATE head SET audit_sequence = audit_sequence - 1",
                f"UPDATE head SET audit_hash = {ANOTHER_HASH.replace('hash', 'audit_hash')}",
                "UPDATE head SET database_id = database_id || '0'",
                "DELETE FROM head",
            ]
        )
    )


IN_SQL: list[Callable[[sqlite3.Connection, random.Random], None]] = [
    edit_an_event,
    edit_an_event,
    delete_an_event,
    swap_two_events,
    delete_the_tail,
    rewrite_an_event_and_all_hashes_after_it,
    forget_a_customer_and_recompute_all_hashes,
    edit_a_customer,
    edit_a_customer,
    delete_a_customer,
    invent_a_customer,
    bend_the_partners,
    edit_an_audit_entry,
    delete_an_audit_entry,
    delete_the_tail_of_the_audit_log,
    rewrite_an_audit_entry_and_all_hashes_after_it,
    bend_the_head,
]


def customers(connection: sqlite3.Connection) -> list[str]:
    return [customer_id for (customer_id,) in connection.execute("SELECT customer_id FROM customers").fetchall()]


def last(connection: sqlite3.Connection) -> int:
    ((revision,),) = connection.execute("SELECT max(revision) FROM events").fetchall()
    return int(revision)
