"""The background check of one database. Each pass reads all its trees."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.connections import Connections
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.error_mapping import mapped_errors
from frostgate_server.storage.sqlite.files.head_file import HeadFile
from frostgate_server.storage.sqlite.files.identities import ServedFiles
from frostgate_server.storage.sqlite.files.paths import check_path, head_path
from frostgate_server.storage.sqlite.row_mapping import EVENT_COLUMNS, Row, checksum, hash_event_row
from frostgate_server.storage.sqlite.schema.comparison import ExpectedSchema
from frostgate_server.storage.sqlite.transaction import count_frames, read_head

from .chain import ChainCheck
from .findings import Findings
from .partners import PartnerCheck
from .scan import Scan
from .snapshot import snapshot
from .trees import CUSTOMERS_OF_PARTNER, CUSTOMERS_TREE, EVENTS_OF_CUSTOMER, EVENTS_TREE, READ_ONLY_TREES

_EVENT_WIDTH = len(EVENT_COLUMNS.split(", "))


class RecordCheck:
    """Implements backend.RecordCheck."""

    def __init__(self, files: ServedFiles, schema: ExpectedSchema) -> None:
        """Takes the files of a prepared database, and its schema. Raises StorageUnavailable."""
        self._path = files.path
        self._connections = Connections(files, schema)
        with mapped_errors():
            self._connection = self._connections.open()
            self._connection.execute("PRAGMA query_only = ON")
        self._findings = Findings(check_path(files.path))
        self._heads: list[Head] = []

    def run_pass(self) -> Iterator[int]:
        """Checks the whole database once, and yields the number of rows after each short read.

        Raises StorageUnavailable if the pass cannot continue now. Its findings so far are logged.
        """
        rows = 0
        self._findings.begin_pass()
        with mapped_errors():
            self._connections.ensure_same_files(count_frames(self._connection))
            for read in _Pass(self._connection, [*self._heads, *self._remembered()], self._findings).run():
                rows += read
                self._findings.save()
                yield read
            self._findings.end_pass(rows)
            self._heads = [read_head(self._connection)]

    def close(self) -> None:
        """Closes the database."""
        self._connections.close()

    def _remembered(self) -> list[Head]:
        """The head in the -head file. It is read before the database, which may change meanwhile. Raises OSError."""
        with closing(HeadFile(head_path(self._path), create=False)) as file:
            return [file.head] if file.head else []


class _Pass:
    """One pass through all trees."""

    def __init__(self, connection: sqlite3.Connection, heads: Sequence[Head], findings: Findings) -> None:
        """`heads` are earlier heads that the history must contain."""
        self._connection = connection
        self._findings = findings
        self._heads = heads
        self._scan = Scan(connection, findings)
        self._chain = ChainCheck("event", {head.revision: head.hash for head in heads}, findings)
        entries = ChainCheck("audit entry", {head.audit_sequence: head.audit_hash for head in heads}, findings)
        self._partners = PartnerCheck(connection, entries, findings)

    def run(self) -> Iterator[int]:
        """Runs the pass. Customers are first, because their answers matter most."""
        self._examine_identity()
        yield from self._scan.run(CUSTOMERS_TREE, self._examine_customer)
        yield from self._scan.run(EVENTS_TREE, self._examine_event)
        with snapshot(self._connection):
            for _ in self._scan.run(EVENTS_TREE, self._examine_event, after=(self._chain.number,)):
                pass
            head = read_head(self._connection)
            self._chain.end(head.revision, head.hash)
        yield from self._scan.run(EVENTS_OF_CUSTOMER, self._examine_event_of_customer)
        yield from self._scan.run(CUSTOMERS_OF_PARTNER, self._examine_customer_of_partner)
        for tree in READ_ONLY_TREES:
            yield from self._scan.run(tree, _ignore)
        yield from self._partners.run()

    def _examine_identity(self) -> None:
        database_id = read_head(self._connection).database_id
        for head in self._heads:
            if head.database_id != database_id:
                self._findings.note(f"the database: its id is {database_id}, but was {head.database_id}")

    def _examine_customer(self, row: Row) -> None:
        customer_id, state, revision, claimed, fits, is_indexed = row
        if claimed != checksum(customer_id, state, revision):
            self._findings.note(f"customer {customer_id}: the row does not match its checksum", customer_id)
        elif not fits:
            self._findings.note(f"customer {customer_id}: the row does not match the last event", customer_id)
        if not is_indexed:
            self._findings.note(f"customer {customer_id}: index customers_of_partner does not have it")

    def _examine_event(self, row: Row) -> None:
        event, (claimed, of_customer, fits, of_partner, by_time) = row[:_EVENT_WIDTH], row[_EVENT_WIDTH:]
        revision, customer_id, partner_id = event[:3]
        self._chain.ensure_next(revision)
        self._chain.follow(revision, claimed, hash_event_row(self._chain.hash or "", event), customer_id)
        self._partners.of_customers.add(partner_id)
        if not of_customer:
            self._findings.note(f"event {revision}: index events_of_customer does not have it", customer_id)
        if not of_partner:
            self._findings.note(f"event {revision}: index events_of_partner does not have it")
        if not by_time:
            self._findings.note(f"event {revision}: index events_by_time does not have it")
        if not fits:
            text = f"customer {customer_id}: there is no row that matches the last event, {revision}"
            self._findings.note(text, customer_id)

    def _examine_event_of_customer(self, row: Row) -> None:
        customer_id, revision, has_event = row
        if not has_event:
            text = f"customer {customer_id}: index events_of_customer has event {revision}, but the table does not"
            self._findings.note(text, customer_id)

    def _examine_customer_of_partner(self, row: Row) -> None:
        partner_id, customer_id, has_row = row
        if not has_row:
            text = f"customer {customer_id}: only index customers_of_partner has it for partner {partner_id}"
            self._findings.note(text, customer_id)


def _ignore(_: Row) -> None:
    """Accepts a row without a check."""
