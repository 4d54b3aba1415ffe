"""Adds a migration that reads rows to a server that is started with this directory in PYTHONPATH.

With FAILING_MIGRATION in the environment the migration fails after it has made its table. Python imports this module
before any other.
"""

import os
from typing import TYPE_CHECKING

from frostgate_server.storage.sqlite.schema import migrations

if TYPE_CHECKING:
    from sqlite_utils import Database


def counts_of_partners(db: "Database") -> None:
    """Counts the customers of each partner."""
    db.execute("CREATE TABLE counts_of_partners (partner_id TEXT PRIMARY KEY, customers INTEGER NOT NULL) STRICT")
    db.execute("INSERT INTO counts_of_partners SELECT partner_id, count(*) FROM customers GROUP BY partner_id")
    if "FAILING_MIGRATION" in os.environ:
        raise ValueError("the migration failed")


migrations.MIGRATIONS.append(counts_of_partners)
migrations.READS_ROWS.add(counts_of_partners.__name__)
