"""The store in one SQLite file: an append-only log and the state learned from it.

store.py       the port
log_rows.py    events as rows
state_rows.py  the learned state as rows, and how it follows the log
database.py    connections, transactions, migrations
quarantine.py  what to do with a damaged file
errors.py      SQLite's result codes as tiercel's errors
migrations/    the schema, one numbered file per version
outbox.py      another kind of file: events on their way to a store that is away (outbox_migrations/)
"""

from tiercel.adapters.sqlite_store.outbox import SqliteOutbox
from tiercel.adapters.sqlite_store.store import SqliteStore

__all__ = ["SqliteOutbox", "SqliteStore"]
