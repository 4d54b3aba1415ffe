"""The trees (tables and indexes) of a database, and the SQL of the background check to read them."""

from frostgate_server.storage.sqlite.row_mapping import ENTRY_COLUMNS

from .comparison import CUSTOMERS, CUSTOMERS_WITHOUT_INDEX, EVENTS, EVENTS_WITHOUT_INDEXES
from .scan import Tree

EVENTS_TREE = Tree(
    name="table events",
    rows=EVENTS,
    core=EVENTS_WITHOUT_INDEXES,
    keys="SELECT revision, customer_id FROM events NOT INDEXED WHERE revision > ? ORDER BY revision LIMIT ?",
    first=(0,),
    customer=1,
    is_numbered=True,
)

CUSTOMERS_TREE = Tree(
    name="table customers",
    rows=CUSTOMERS,
    core=CUSTOMERS_WITHOUT_INDEX,
    keys="SELECT DISTINCT customer_id FROM events INDEXED BY events_of_customer WHERE customer_id > ? "
    "ORDER BY customer_id LIMIT ?",
    first=("",),
    customer=0,
)

ENTRIES_TREE = Tree(
    name="table audit_entries",
    rows=f"SELECT {ENTRY_COLUMNS}, hash FROM audit_entries WHERE sequence > ? ORDER BY sequence LIMIT ?",
    keys="SELECT sequence FROM audit_entries WHERE sequence > ? ORDER BY sequence LIMIT ?",
    first=(0,),
    is_numbered=True,
)


def _index(name: str, table: str, columns: tuple[str, ...], first: tuple[object, ...], row: str) -> Tree:
    """An index. The last column of its rows tells whether the table has the row of the entry (condition `row`)."""
    key = ", ".join(f"x.{column}" for column in columns)
    marks = ", ".join("?" * len(columns))
    entries = f"FROM {table} AS x INDEXED BY {name} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT ?"
    return Tree(
        name=f"index {name}",
        rows=f"SELECT {key}, EXISTS (SELECT 1 FROM {table} AS y NOT INDEXED WHERE {row}) {entries}",
        keys=f"SELECT {key} {entries}",
        first=first,
        customer=columns.index("customer_id") if "customer_id" in columns else None,
    )


def _event_index(name: str, column: str, first: object) -> Tree:
    row = f"y.revision = x.revision AND y.{column} = x.{column}"
    return _index(name, "events", (column, "revision"), (first, 0), row)


EVENTS_OF_CUSTOMER = _event_index("events_of_customer", "customer_id", "")
CUSTOMERS_OF_PARTNER = _index(
    "customers_of_partner",
    "customers",
    ("partner_id", "customer_id"),
    ("", ""),
    "y.customer_id = x.customer_id AND +y.partner_id = x.partner_id AND y.checksum IS NOT NULL",
)


def _read_only(name: str, columns: tuple[str, ...], first: tuple[object, ...], source: str) -> Tree:
    """A tree whose rows are read without a comparison. SQLite reads all rows, but Python gets only the last one."""
    key, marks = ", ".join(columns), ", ".join("?" * len(columns))
    rows = f"SELECT {key} FROM {source} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT 1 OFFSET ? - 1"
    return Tree(name, rows=rows, keys=rows, first=first, is_only_read=True)


def _read_only_index(name: str, table: str, columns: tuple[str, ...], first: tuple[object, ...]) -> Tree:
    return _read_only(f"index {name}", columns, first, f"{table} INDEXED BY {name}")


READ_ONLY_TREES = (
    _read_only_index("events_of_partner", "events", ("partner_id", "revision"), ("", 0)),
    _read_only_index("events_by_time", "events", ("event_time", "revision"), (-(2**62), 0)),
    _read_only_index("answers_by_time", "answers", ("answer_time", "rowid"), (-(2**62), 0)),
    _read_only_index("sqlite_autoindex_answers_1", "answers", ("principal", "method", "request_id"), ("", "", "")),
    _read_only("table answers", ("rowid",), (0,), "answers NOT INDEXED"),
    _read_only("table verification_codes", ("partner_id",), ("",), "verification_codes"),
    _read_only("table verification_counts", ("whom", "kind", "count_id"), ("", 0, ""), "verification_counts"),
)
"""Trees that are read without a comparison: their index entries are looked up for each event, or no other data in the
database can be compared with them."""
