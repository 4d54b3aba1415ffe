"""The stored answers for repeated requests: their SQL, and the accounting of their sizes.

Sizes are summed by the hour in which the answers were stored. An hour counts until its last answer expires, whether its
answers are deleted or not.
"""

from datetime import UTC, datetime, timedelta

from frostgate_server.storage.queries import RequestKey, StoredResponse

ANSWERS_KEPT = timedelta(hours=24)
DROPPED_FOR_ONE = 16
"""Expired answers that are deleted for each new one, at most. It is more than one, so that a backlog shrinks."""

_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOURS_KEPT = ANSWERS_KEPT // _HOUR

_ROW_BYTES = 100
"""The overhead of SQLite for a row and the entries in its two indexes."""

ANSWER = (
    "SELECT fingerprint, answer, answer_time FROM answers "
    "WHERE principal = ? AND method = ? AND request_id = ? AND answer_time > ?"
)
DROP_ANSWER = "DELETE FROM answers WHERE principal = ? AND method = ? AND request_id = ? AND answer_time > ?"
REDATE_ANSWER = "UPDATE answers SET answer_time = ? WHERE principal = ? AND method = ? AND request_id = ?"
DROP_OLD = (
    "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE answer_time <= ? ORDER BY answer_time LIMIT ?)"
)
DROP_FUTURE = (
    "DELETE FROM answers WHERE rowid IN "
    "(SELECT rowid FROM answers WHERE answer_time > ? ORDER BY answer_time DESC LIMIT ?)"
)
KEPT = (
    "SELECT coalesce(sum(bytes), 0), min(hour) FROM kept_answers "
    "WHERE principal = ? AND hour >= ? AND hour <= ? AND bytes > 0"
)
ADD_TO_HOUR = "UPDATE kept_answers SET answers = answers + 1, bytes = bytes + ?3 WHERE principal = ?1 AND hour = ?2"
BEGIN_HOUR = "INSERT INTO kept_answers VALUES (?, ?, 1, ?)"
SAVE_ANSWER = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)"
"""It replaces an expired answer with the same key, or one from the future, that is not deleted yet."""

END_HOURS = "DELETE FROM kept_answers WHERE principal = ? AND (hour < ? OR hour > ?)"


def hour_of(at: datetime) -> int:
    """The hour of a time, since 1970, UTC."""
    return (at - _EPOCH) // _HOUR


def end_of_hour(hour: int) -> datetime:
    """When the last answer of an hour expires, UTC. Until then the whole hour counts."""
    return _EPOCH + (hour + 1) * _HOUR + ANSWERS_KEPT


def hours_that_count(now: datetime) -> tuple[int, int]:
    """The first and the last hour that may have stored answers at this time."""
    hour = hour_of(now)
    return hour - _HOURS_KEPT, hour + _HOURS_KEPT


def size_of(key: RequestKey, answered: StoredResponse) -> int:
    """The approximate size of an answer in the file, in bytes. Its key is in the table and in an index."""
    names = len(key.principal) + len(key.method) + len(key.request_id)
    return len(answered.answer) + len(answered.fingerprint) + 2 * names + _ROW_BYTES
