"""What a process folds, merges, commits and reads a second, how fast what waited is delivered, how large it all is."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir

from benchmarks.redis_server import RedisServer
from benchmarks.shared_store.calls import MODELS, call

from tiercel import Router
from tiercel.bootstrap import open_store
from tiercel.core.statistics.fold import Deltas, fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.domain.request import stage_segment
from tiercel.testing import EPOCH

SEGMENTS = 200
CALLS = 5_000
BATCH = 1_000
WAITING = 5_000


def outcome_and_rating(number: int, segments: int) -> list[Event]:
    """What is known of one call: of `segments` stages, six models, fifty users."""
    segment = stage_segment("work", f"stage-{number % segments}")
    model = MODELS[number // segments % len(MODELS)]
    decision_id = f"dec_{number}"
    return [
        Outcome(
            decision_id=decision_id,
            recorded_at=EPOCH,
            segment=segment,
            model=model.model_id,
            tier=model.tier,
            success=True,
            latency_ms=100.0 + number % 900,
            prompt_tokens=10,
            completion_tokens=5,
            cost_usd=0.0001,
        ),
        Feedback(
            id=f"f{number}",
            recorded_at=EPOCH,
            segment=segment,
            tier=model.tier,
            model=model.model_id,
            quality=(number % 11) / 10,
            decision_id=decision_id,
            source=f"user:{number % 50}",
        ),
    ]


def batches(calls: int, segments: int = SEGMENTS) -> list[list[Event]]:
    """The events of some calls, as they are committed together."""
    events = [event for number in range(calls) for event in outcome_and_rating(number, segments)]
    return [events[start : start + BATCH] for start in range(0, len(events), BATCH)]


def rate(things: int, act: Callable[[], object]) -> float:
    """How many a second."""
    began_s = time.perf_counter()
    act()
    return things / (time.perf_counter() - began_s)


def in_memory() -> dict[str, float]:
    """Folding and learning events, and merging what others folded."""
    given = batches(CALLS)
    events = sum(map(len, given))
    knowledge = Knowledge()

    def learn() -> None:
        for batch in given:
            knowledge.add(fold(batch))

    parts = [fold(batch) for batch in given]
    learned = rate(events, learn)
    merged = rate(sum(len(part.sums) for part in parts), lambda: Deltas().merge(*parts))
    return {"events_folded_and_learned": learned, "deltas_merged": merged}


def over_the_network(server: RedisServer) -> dict[str, float]:
    """Committing events, and reading and learning what others committed."""
    given = batches(CALLS)
    events = sum(map(len, given))
    writer, reader = open_store(f"{server.url}?name=rates"), open_store(f"{server.url}?name=rates")
    _, start = reader.load()
    knowledge = Knowledge()

    def commit() -> None:
        for batch in given:
            writer.append(batch, fold)

    def follow() -> None:
        position = start
        while True:
            found, position = reader.events_after(position, BATCH)
            if not found:
                return
            knowledge.add(fold(found))

    committed = rate(events, commit)
    followed = rate(events, follow)
    writer.close()
    reader.close()
    return {"events_committed": committed, "events_of_others_read_and_learned": followed}


def drained(server: RedisServer) -> dict[str, float]:
    """How fast what waited is delivered when the server is back."""
    logging.disable()
    # the outbox is in the working directory
    with tempfile.TemporaryDirectory() as folder, chdir(folder), Router(models=MODELS, store=server.url) as router:
        call(router)
        router.learner.flush(30)
        server.kill()
        for _ in range(WAITING):
            call(router)
        waiting = _waiting(router)
        server.start()
        router.learner.delivery.retry()
        began_s = time.perf_counter()
        while _waiting(router):
            time.sleep(0.01)
        took_s = time.perf_counter() - began_s
    logging.disable(logging.NOTSET)
    return {"events_waiting": waiting, "events_drained_per_second": waiting / took_s}


def _waiting(router: Router) -> int:
    status = router.learner.status()
    return status.buffered + status.kept


def _used_bytes(server: RedisServer) -> int:
    return int(server.client.info("memory")["used_memory"])


def sizes(server: RedisServer) -> dict[str, float]:
    """Bytes in the server: of the learned state per segment and model, and of the log per call."""
    store = open_store(f"{server.url}?name=sizes")
    before = _used_bytes(server)
    calls = SEGMENTS * len(MODELS) * 8
    for batch in batches(calls):
        store.append(batch, fold)
    store.rebuild(fold)  # so that the whole state is there
    used = _used_bytes(server) - before
    states = [key for key in server.client.scan_iter("tiercel:*", count=1_000) if b":state:" in key]
    state = sum(int(server.client.memory_usage(key, samples=0)) for key in states if b"sizes" in key)
    store.close()
    return {
        "state_bytes_per_segment_and_model": state / (SEGMENTS * len(MODELS)),
        "log_bytes_per_call": (used - state) / calls,
        "ratings_per_segment_and_model": 8,
    }
