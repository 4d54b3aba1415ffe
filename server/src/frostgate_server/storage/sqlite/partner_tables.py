"""Partners and their verification codes, in a transaction that has begun."""

from datetime import datetime

from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import WINDOW, SentCode
from frostgate_server.storage.queries import CountKind

from .driver import sqlite3
from .row_mapping import (
    CODE_COLUMNS,
    PARTNER_COLUMNS,
    from_microseconds,
    make_partner_row,
    read_code_row,
    read_partner_row,
    to_microseconds,
)

_PARTNER = f"SELECT {PARTNER_COLUMNS} FROM partners WHERE partner_id = ?"


def read_partner(connection: sqlite3.Connection, partner_id: str) -> Partner | None:
    """The partner, or None."""
    rows = connection.execute(_PARTNER, (partner_id,)).fetchall()
    return read_partner_row(rows[0]) if rows else None


class PartnerTables:
    """Keeps the promises of interface.Transaction on partners and codes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Takes a connection on which a transaction has begun."""
        self._connection = connection

    def get_partner(self, partner_id: str) -> Partner | None:
        return read_partner(self._connection, partner_id)

    def save_partner(self, partner: Partner) -> None:
        self._connection.execute("INSERT OR REPLACE INTO partners VALUES (?, ?, ?)", make_partner_row(partner))

    def get_code(self, partner_id: str) -> SentCode | None:
        sql = f"SELECT {CODE_COLUMNS} FROM verification_codes WHERE partner_id = ?"
        rows = self._connection.execute(sql, (partner_id,)).fetchall()
        return read_code_row(rows[0]) if rows else None

    def save_code(self, partner_id: str, code: SentCode) -> None:
        row = (partner_id, code.code_id, code.digest, to_microseconds(code.expire_time), code.tries)
        self._connection.execute("INSERT OR REPLACE INTO verification_codes VALUES (?, ?, ?, ?, ?)", row)

    def delete_code(self, partner_id: str) -> None:
        self._connection.execute("DELETE FROM verification_codes WHERE partner_id = ?", (partner_id,))

    def list_counts(self, whom: str, kind: CountKind, since: datetime) -> list[datetime]:
        sql = (
            "SELECT count_time FROM verification_counts "
            "WHERE whom = ? AND kind = ? AND count_time > ? ORDER BY count_time"
        )
        rows = self._connection.execute(sql, (whom, kind, to_microseconds(since))).fetchall()
        return [from_microseconds(time) for (time,) in rows]

    def add_count(self, whom: str, kind: CountKind, count_id: str, at: datetime) -> None:
        execute = self._connection.execute
        over = "DELETE FROM verification_counts WHERE whom = ? AND kind = ? AND count_time <= ?"
        execute(over, (whom, kind, to_microseconds(at - WINDOW)))
        execute("INSERT INTO verification_counts VALUES (?, ?, ?, ?)", (whom, kind, count_id, to_microseconds(at)))

    def delete_count(self, whom: str, kind: CountKind, count_id: str) -> None:
        self._connection.execute(
            "DELETE FROM verification_counts WHERE whom = ? AND kind = ? AND count_id = ?",
            (whom, kind, count_id),
        )
