"""Jumps of the revision after a loss, so that no revision is ever used twice."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from frostgate_server.domain.clock import utc_now
from frostgate_server.storage.durable_names import make_name_durable
from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.head_file import REVISION_JUMP, HeadFile, HeadFileDamaged
from frostgate_server.storage.sqlite.files.paths import head_path
from frostgate_server.storage.sqlite.row_mapping import to_microseconds

_RECORD = "INSERT INTO restores SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ? FROM restores"


def jump_ahead(
    path: Path, connection: sqlite3.Connection, head: Head, command: str, clock: Callable[[], datetime] = utc_now
) -> int:
    """Sets the revision far above every revision in the database and its head file, and records the jump.

    Writes a new head file, and renames the old one. Returns the new revision. Raises OSError, sqlite3.Error.
    """
    revision, sequence = _remembered_place(path)
    floor = max(head.revision, revision) + REVISION_JUMP
    audit_floor = max(head.audit_sequence, sequence) + REVISION_JUMP
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_RECORD, (command, head.revision, floor, to_microseconds(clock())))
        connection.execute("UPDATE head SET revision = ?, audit_sequence = ?", (floor, audit_floor))
        # A code that was used since must not be valid again.
        connection.execute("DELETE FROM verification_codes")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    _write_head_anew(path, replace(head, revision=floor, audit_sequence=audit_floor))
    return floor


def _remembered_place(path: Path) -> tuple[int, int]:
    if not head_path(path).exists():
        return 0, 0
    try:
        with closing(HeadFile(head_path(path))) as head_file:
            return head_file.head.place if head_file.head else (0, 0)
    except HeadFileDamaged:
        return 0, 0


def _write_head_anew(path: Path, head: Head) -> None:
    if head_path(path).exists():
        head_path(path).replace(path.with_name(path.name + "-head-before-recovery"))
    with closing(HeadFile(head_path(path))) as head_file:
        head_file.advance(head)
    make_name_durable(head_path(path))
