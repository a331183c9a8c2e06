"""What the dashboard's data costs with 100,000 decisions of 10 models in 50 segments, over a month.

Every answer is asked of the gateway as a browser asks it, without the network between: SQLite in a file, and Redis.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from benchmarks import results
from benchmarks.redis_server import redis_server
from rich.console import Console
from rich.table import Table
from starlette.testclient import TestClient

from tiercel.adapters.clock import SystemClock
from tiercel.apps.gateway.asgi import Gateway
from tiercel.apps.gateway.state import GatewayState
from tiercel.bootstrap import open_store
from tiercel.config.settings import Settings, StoreSettings
from tiercel.core.logbook import event_time
from tiercel.core.statistics.fold import fold
from tiercel.domain.catalogue import DEFAULT_TIERS, ModelProfile, Price
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.domain.request import stage_segment
from tiercel.library.router import AsyncRouter
from tiercel.ports import Store

DECISIONS, MODELS, SEGMENTS = 100_000, 10, 50
BATCH = 500
ASKED = 30
CATALOGUE = [
    ModelProfile(model_id=f"model-{n}", tier=DEFAULT_TIERS[n * 3 // MODELS], price=Price(0.1 * 2**n, 0.4 * 2**n))
    for n in range(MODELS)
]
CANDIDATES = tuple(Candidate(model.model_id, model.tier, 1 / MODELS, 50.0) for model in CATALOGUE)
PATHS = {
    "overview": "/v1/overview?time_range=last_24_hours",
    "overview, a month": "/v1/overview?time_range=last_30_days",
    "series": "/v1/series?time_range=last_24_hours",
    "series, a week": "/v1/series?time_range=last_7_days",
    "series, a month": "/v1/series?time_range=last_30_days",
    "series of a stage": "/v1/series?time_range=last_7_days&workflow=w1&stage=s11",
    "frontier": "/v1/frontier?time_range=last_30_days",
    "routing": "/v1/routing",
    "observed models": "/v1/models/observed?time_range=last_30_days",
    "decisions": "/v1/decisions?limit=50",
    "decisions, filtered": "/v1/decisions?limit=50&workflow=w1&stage=s11",
    "decisions, none matches": "/v1/decisions?limit=50&workflow=nobody",
}


def history(now: datetime) -> Iterator[list[Event]]:
    """A month of decisions, each with its outcome, every third rated; oldest first, in batches."""
    draw = random.Random(0)
    batch: list[Event] = []
    for number in range(DECISIONS):
        at = now - timedelta(days=30) * (1 - number / DECISIONS)
        place = number % SEGMENTS
        segment = stage_segment(f"w{place % 5}", f"s{place}")
        model = CATALOGUE[min(int(draw.expovariate(0.5)), MODELS - 1)]
        made = Decision(
            id=f"dec_{number:07}",
            decided_at=at,
            segment=segment,
            policy="tier-rules",
            policy_version="1",
            model=model.model_id,
            tier=model.tier,
            propensity=0.1,
            proposal=Proposal(CANDIDATES, model.model_id, "serves the stage"),
        )
        tokens = draw.randint(50, 2_000)
        outcome = Outcome(
            decision_id=made.id,
            recorded_at=at,
            segment=segment,
            model=model.model_id,
            tier=model.tier,
            success=draw.random() < 0.99,
            latency_ms=draw.lognormvariate(6, 0.8),
            prompt_tokens=tokens,
            completion_tokens=tokens // 2,
            cost_usd=model.price.cost_usd(tokens, tokens // 2) if model.price else None,
        )
        batch += [made, outcome]
        if number % 3 == 0:
            rating = Feedback(
                id=f"feedback_{number}",
                recorded_at=at,
                segment=segment,
                tier=model.tier,
                quality=draw.betavariate(8, 2),
                model=model.model_id,
                decision_id=made.id,
            )
            batch.append(rating)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


def median_ms(ask: Callable[[], object]) -> float:
    """Median milliseconds of one answer."""
    took = []
    for _ in range(ASKED):
        started = time.perf_counter()
        ask()
        took.append((time.perf_counter() - started) * 1_000)
    return statistics.median(took)


def measured(store: Store) -> dict[str, float]:
    """Milliseconds by what is asked."""
    clock = SystemClock()
    for number, batch in enumerate(history(clock.now().astimezone(UTC))):
        store.append(batch, fold)
        if number % 20 == 0:
            # as a gateway does every few minutes
            store.compact(event_time(batch[-1]))
    store.compact(clock.now())
    settings = Settings(store=StoreSettings(url=store.url, retention_s=90 * 86_400.0), models=tuple(CATALOGUE))
    state = GatewayState(AsyncRouter(policy="tier-rules", settings=settings, store=store, providers={}), settings)
    figures = {}
    with TestClient(Gateway(state), base_url="http://127.0.0.1:8080") as http:

        def ask(path: str) -> None:
            answer = http.get(path)
            if not answer.is_success:
                raise RuntimeError(f"{path}: {answer.text}")

        for name, path in PATHS.items():
            ask(path)
            figures[name] = median_ms(partial(ask, path))
    return figures


def main() -> None:
    """Measure both stores, print a table, keep the figures."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        found["SQLite"] = measured(open_store(f"sqlite:///{folder}/dashboard.db"))
        Console().print(found["SQLite"])
        with redis_server(Path(folder)) as server:
            found["Redis"] = measured(open_store(server.url))
    table = Table("ms per answer, median", *found)
    for name in PATHS:
        table.add_row(name, *(f"{figures[name]:.1f}" for figures in found.values()))
    Console().print(table)
    results.store("dashboard", {"milliseconds": found, "decisions": DECISIONS, "models": MODELS, "segments": SEGMENTS})


if __name__ == "__main__":
    main()
