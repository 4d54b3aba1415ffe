"""The part of the background check that compares partners with the audit log and with the events of their customers."""

from collections.abc import Iterator, Sequence

from frostgate_server.domain.hash_chain import hash_audit_entry
from frostgate_server.domain.partner import Partner
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.row_mapping import PARTNER_COLUMNS, Row, read_entry_row, read_partner_row
from frostgate_server.storage.sqlite.transaction import read_head

from .chain import ChainCheck
from .findings import Findings
from .scan import Scan
from .snapshot import snapshot
from .trees import ENTRIES_TREE

PARTNERS_AT_ONCE = 500


class PartnerCheck:
    """Checks the audit log, and the partners against it. `of_customers` are the partners named in events."""

    def __init__(self, connection: sqlite3.Connection, chain: ChainCheck, findings: Findings) -> None:
        """Takes a new chain check for the audit log."""
        self._connection = connection
        self._chain = chain
        self._findings = findings
        self._scan = Scan(connection, findings)
        self._audited: dict[str, Partner] = {}
        self.of_customers: set[str] = set()

    def run(self) -> Iterator[int]:
        """Checks the audit log and all partners. Yields the number of rows after each read."""
        yield from self._scan.run(ENTRIES_TREE, self._examine_entry)
        expected = sorted({*self._audited, *self.of_customers, *self._list_partners()})
        for start in range(0, len(expected), PARTNERS_AT_ONCE):
            with snapshot(self._connection):
                self._compare(expected[start : start + PARTNERS_AT_ONCE])
            yield PARTNERS_AT_ONCE
        with snapshot(self._connection):
            self._catch_up()
            head = read_head(self._connection)
            self._chain.end(head.audit_sequence, head.audit_hash)

    def _examine_entry(self, row: Row) -> None:
        *values, claimed = row
        entry = read_entry_row(tuple(values))
        self._chain.ensure_next(entry.sequence)
        self._chain.follow(entry.sequence, claimed, hash_audit_entry(self._chain.hash or "", entry))
        if entry.note.partner:
            self._audited[entry.note.partner.partner_id] = entry.note.partner

    def _catch_up(self) -> None:
        """Reads the audit log to its end."""
        for _ in self._scan.run(ENTRIES_TREE, self._examine_entry, after=(self._chain.number,)):
            pass

    def _list_partners(self) -> list[str]:
        return [partner_id for (partner_id,) in self._connection.execute("SELECT partner_id FROM partners")]

    def _compare(self, partner_ids: Sequence[str]) -> None:
        self._catch_up()
        sql = f"SELECT {PARTNER_COLUMNS} FROM partners WHERE partner_id = ?"
        for partner_id in partner_ids:
            rows = self._connection.execute(sql, (partner_id,)).fetchall()
            found = read_partner_row(rows[0]) if rows else None
            if found != self._audited.get(partner_id, Partner(partner_id)):
                self._findings.note(f"partner {partner_id}: the row does not match the audit log")
