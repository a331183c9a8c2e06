"""The store in Redis or Valkey servers: an append-only log and the state learned from it, shared by all who open it.

store.py       the port, over the partitions of the log: one, or on a Cluster many
claims.py      which partition an event belongs into
queries.py     what is asked of the indexes
log.py         a batch on its way into the partitions
appending.py   what it adds to each
log_index.py   events in the log, and the indexes that find them again
layers.py      the learned state
progress.py    how far the log goes, and what became of it
server.py      commands, and steps that are written whole or not at all
nodes.py       where commands go: one server, a master that Sentinels know
cluster.py     or the masters of a Cluster, of which some may be away
keys.py        what the keys are called, and what belongs together
errors.py      the client's errors as tiercel's errors
scripts/       what the server does in one step

Whatever is written is worked out here, from what was read, and written by one script only if what it depends on has
not changed; else it is worked out again. So processes wait for each other only where they speak of the same thing.
"""

from tiercel.adapters.redis_store.store import RedisStore

__all__ = ["RedisStore"]
