"""The learned state as hashes, one per layer: a field per entry, its body as the codec writes it.

learned   what the events up to `Progress.learned` taught
trimmed   what the events taught that are no longer in the log
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tiercel.adapters.codec import Address, StateRow, addresses, read_state_row, state_rows
from tiercel.adapters.redis_store.keys import Keys
from tiercel.adapters.redis_store.log_index import CHUNK, read_entries, stretch
from tiercel.adapters.redis_store.server import Server, Write
from tiercel.core.statistics.buckets import Bucket
from tiercel.core.statistics.fold import Deltas
from tiercel.domain.errors import StoreCorrupt
from tiercel.ports import Fold

LEARNED, TRIMMED = "learned", "trimmed"
Rows = Mapping[bytes, bytes]


def read_layer(rows: Rows) -> Deltas:
    """The state in a layer. Raises `StoreCorrupt`."""
    state = Deltas()
    for field, body in rows.items():
        read_state_row(StateRow(_address(field), body), state)
    return state


def merge_into(server: Server, write: Write, keys: Keys, layer: str, added: Deltas) -> None:
    """Add to a layer, reading and writing only the entries touched."""
    key = keys.state(layer)
    fields = [_field(address) for address in addresses(added)]
    chunks = [fields[start : start + CHUNK] for start in range(0, len(fields), CHUNK)]
    answers = server.ask(*(("HMGET", key.name, *chunk) for chunk in chunks))
    held = read_layer(
        {
            field.encode(): body
            for chunk, bodies in zip(chunks, answers, strict=True)
            for field, body in zip(chunk, bodies, strict=True)
            if body is not None
        }
    )
    held.merge(added)
    for row in state_rows(held):
        write.add("HSET", key, _field(row.address), row.body)


def exchange(write: Write, keys: Keys, layer: str, rows: Rows, state: Deltas) -> None:
    """Make a layer, which holds `rows`, hold `state`; what stays as it is is not written."""
    key = keys.state(layer)
    kept: set[bytes] = set()
    for row in state_rows(state):
        field = _field(row.address)
        kept.add(field.encode())
        if rows.get(field.encode()) != row.body:
            write.add("HSET", key, field, row.body)
    _remove(write, keys, layer, rows.keys() - kept)


def taught(server: Server, keys: Keys, after: int, to: int, fold: Fold) -> Deltas:
    """What the log teaches between two positions."""
    deltas = Deltas()
    while after < to:
        (answer,) = server.ask(stretch(keys, after, CHUNK, to))
        events = read_entries(answer)
        if not events:
            break
        deltas.merge(fold([event for _, event in events]))
        after = events[-1].position
    return deltas


def _remove(write: Write, keys: Keys, layer: str, fields: Iterable[bytes]) -> None:
    for field in fields:
        write.add("HDEL", keys.state(layer), field)


def _field(address: Address) -> str:
    return f"{address.part}:{address.bucket.width_s}:{address.bucket.start_s}:{address.key}"


def _address(field: bytes) -> Address:
    try:
        part, width_s, start_s, key = field.decode().split(":", 3)
        return Address(part, key, Bucket(int(width_s), int(start_s)))
    except ValueError as error:
        raise StoreCorrupt(f"the learned state has an entry that has no place: {error}") from error
