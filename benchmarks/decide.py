"""How long a decision takes: 10 models, the default policy and the others, with a state that has learned something."""

from __future__ import annotations

import random
import statistics
import time

from benchmarks import results
from rich.console import Console
from rich.table import Table

from tiercel import ModelProfile, Price, Router
from tiercel.bootstrap import POLICIES

MODELS = [
    ModelProfile(
        model_id=f"model-{i}",
        tier=("cheap", "capable", "premium")[i % 3],
        capabilities={"coding": 0.5 + i / 20, "reasoning": 0.6 + i / 30, "general": 0.8},
        context_length=32_768,
        price=Price(0.1 * (i + 1), 0.4 * (i + 1)),
    )
    for i in range(10)
]
STAGES = 20
DECISIONS = 20_000


def measure(policy: str) -> dict[str, float]:
    """Microseconds per decide() of one policy."""
    draw = random.Random(0)
    with Router(models=MODELS, policy=policy) as router:
        for i in range(2_000):
            decision = router.decide("work", f"stage-{i % STAGES}", requires=["coding", "reasoning"])
            if i % 4 == 0:
                router.record_outcome(decision.id, success=draw.random() < 0.97, latency_ms=draw.uniform(100, 900))
                router.record_feedback(decision.id, draw.uniform(0.6, 1.0), source="judge")
        router.learner.flush()
        took_us: list[float] = []
        for i in range(DECISIONS):
            stage = f"stage-{i % STAGES}"
            started = time.perf_counter_ns()
            router.decide("work", stage, requires=["coding", "reasoning"])
            took_us.append((time.perf_counter_ns() - started) / 1000)
            if i % 2_000 == 1_999:
                router.learner.flush()  # the buffer is bounded; a gateway's writer keeps up in its pauses
    ranked = statistics.quantiles(took_us, n=100)
    return {"p50_us": ranked[49], "p95_us": ranked[94], "p99_us": ranked[98]}


def main() -> None:
    """Measure every policy, print a table, keep the figures."""
    figures = {name: measure(name) for name in POLICIES}
    table = Table("policy", "p50 us", "p95 us", "p99 us", title=f"decide(), {len(MODELS)} models")
    for name, row in figures.items():
        table.add_row(name, *(f"{value:.1f}" for value in row.values()))
    Console().print(table)
    results.store("decide", figures)


if __name__ == "__main__":
    main()
