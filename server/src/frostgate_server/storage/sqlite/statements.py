"""The SQL statements of a transaction. They read and write records by key."""

from .row_mapping import CUSTOMER_COLUMNS, ENTRY_COLUMNS, EVENT_COLUMNS, PARTNER_COLUMNS

READ_HEAD = "SELECT database_id, revision, hash, audit_sequence, audit_hash FROM head"
PUT_HEAD = "UPDATE head SET revision = ?, hash = ?, audit_sequence = ?, audit_hash = ?"
READ_CUSTOMER = (
    f"SELECT {', '.join(f'c.{name}' for name in CUSTOMER_COLUMNS.split(', '))}, last.revision, "
    "CASE WHEN last.revision IS NOT NULL THEN coalesce(e.action, 0) END "
    "FROM (SELECT max(revision) AS revision FROM events WHERE customer_id = ?1) AS last "
    "LEFT JOIN customers AS c ON c.customer_id = ?1 LEFT JOIN events AS e ON e.revision = last.revision"
)
"""Returns one row, also for an unknown customer. It reads the customer's row and last event at one revision."""
ADD_CUSTOMER = f"INSERT INTO customers ({CUSTOMER_COLUMNS}) VALUES ({', '.join('?' * 10)})"
UPDATE_CUSTOMER = (
    "UPDATE customers SET freeze_state = ?2, revision = ?3, checksum = ?4, freeze_reason = ?6, freeze_time = ?7, "
    "retention_expire_time = ?8, update_time = ?10 WHERE customer_id = ?1 AND partner_id = ?5 AND associate_time = ?9"
)
"""Takes the values of CUSTOMER_COLUMNS. It does not write columns that never change, nor the index on one of them."""
READ_PARTNER = (
    f"SELECT {', '.join(f'p.{name}' for name in PARTNER_COLUMNS.split(', '))}, "
    "CASE WHEN p.partner_id IS NULL THEN EXISTS (SELECT 1 FROM events WHERE partner_id = ?1) END "
    "FROM (SELECT 1) LEFT JOIN partners AS p ON p.partner_id = ?1"
)
"""Returns one row, also for an unknown partner. Then the last column tells whether it ever had a customer."""
APPEND_EVENT = f"INSERT INTO events ({EVENT_COLUMNS}, hash) VALUES ({', '.join('?' * 13)})"
APPEND_ENTRY = f"INSERT INTO audit_entries ({ENTRY_COLUMNS}, hash) VALUES ({', '.join('?' * 11)})"
READ_COUNTS = (
    "SELECT count_time FROM verification_counts WHERE whom = ? AND kind = ? AND count_time > ? ORDER BY count_time"
)
DROP_COUNTS = "DELETE FROM verification_counts WHERE whom = ? AND kind = ? AND (count_time <= ? OR count_time > ?)"
REDATE_COUNTS = "UPDATE verification_counts SET count_time = ?3 WHERE whom = ?1 AND kind = ?2 AND count_time > ?3"
