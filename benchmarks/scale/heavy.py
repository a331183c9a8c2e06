"""A learned state written in one step and read in one go: how long that takes by its size, until it takes too long."""

from __future__ import annotations

import time

from benchmarks.scale.masters import Masters
from benchmarks.scale.script import Script

from tiercel.adapters.redis_store import RedisStore
from tiercel.core.statistics.fold import Deltas, Key, fold
from tiercel.domain.errors import StoreError
from tiercel.domain.events import Event
from tiercel.testing import EPOCH

KEYS = (250, 500, 1_000, 2_000)
CALLS = 450


def one_key(script: Script) -> Deltas:
    """What a model of a segment is known by when it was called often."""
    given: list[Event] = []
    for number in range(CALLS):
        given += script.call(2, number, EPOCH, segments=1, model=script.models[0])[1:]
    return fold(given)


def many_keys(one: Deltas, count: int) -> Deltas:
    """The same for so many segments."""
    many = Deltas()

    def at(key: Key, number: int) -> Key:
        return (key[0], key[1], f"stage-{number:05d}", *key[3:])

    for number in range(count):
        for (key, bucket), sums in one.sums.items():
            if "model" in key[3:]:
                many.sums[at(key, number), bucket] = sums
        for name in ("outcomes", "ratings", "moments", "usage"):
            held = getattr(one, name)
            getattr(many, name).update({at(key, number): value for key, value in held.items() if "model" in key[3:]})
    return many


def measured(servers: Masters, script: Script) -> list[dict[str, float]]:
    """Of each size: bytes, whether it was written within the time-out, and seconds to write and to read."""
    one, found = one_key(script), []
    for count in KEYS:
        url = f"{servers.url}?name=heavy&partitions=1"
        store = RedisStore(url, timeout_s=60.0)
        store.load()
        before, began_s = servers.spent(), time.perf_counter()
        store.restore(many_keys(one, count))
        wrote_s = time.perf_counter() - began_s
        server_s = servers.spent().since(before).cpu_s
        held = servers.bytes_of("heavy", "state:learned")
        began_s, cpu_s = time.perf_counter(), time.process_time()
        store.load()
        read_s, read_cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        store.close()
        found.append(
            {"keys": count, "bytes": held, "write_s": wrote_s, "write_server_s": server_s, "read_s": read_s}
            | {"read_cpu_s": read_cpu_s, "usual_time_out": float(_fails(url))}
        )
        servers.clear()
    return found


def _fails(url: str) -> bool:
    """Whether it cannot be read with the time-out that stores have."""
    store = RedisStore(url)
    try:
        store.load()
    except StoreError:
        return True
    finally:
        store.close()
    return False
