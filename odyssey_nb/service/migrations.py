"""How a database of an earlier version becomes one of this version.

Each step is SQL that SQLite and PostgreSQL both take, never edited once it is released; all of them
run in the transaction that opens the database, so that a failed one leaves everything as it was.
Only what exists is altered here: `Database` makes missing tables and their indexes afterwards. That
is all that we have needed, so Alembic, which takes 0.7 s to import, would have nothing to add.

To change a table: change its class, add a step, and raise `SCHEMA`; a test compares the two ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

# By the version that they start from
STEPS: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE streams ADD COLUMN kind VARCHAR DEFAULT 'stream' NOT NULL",
        "ALTER TABLE streams ADD COLUMN last_seen FLOAT",
    ),
}
SCHEMA = max(STEPS) + 1


def migrate(connection: Connection, found: int) -> None:
    """Take a database of version `found` to `SCHEMA`."""
    for version in range(found, SCHEMA):
        for statement in STEPS[version]:
            connection.exec_driver_sql(statement)
