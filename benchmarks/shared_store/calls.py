"""One process that decides, in rounds told by its parent: `python -m benchmarks.shared_store.calls URL SECONDS`.

It warms up, says so, waits to be told to go on, and says how long its decisions took. Paced, as traffic is.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from itertools import count

from tiercel import ModelProfile, Price, Router
from tiercel.apps.gateway.collection import collect_in_small_steps

MODELS = [
    ModelProfile(
        model_id=f"model-{i}",
        tier=("cheap", "capable", "premium")[i % 3],
        capabilities={"coding": 0.5 + i / 20, "general": 0.8},
        context_length=32_768,
        price=Price(0.1 * (i + 1), 0.4 * (i + 1)),
    )
    for i in range(6)
]
STAGES = 20
PACE_S = 0.002
WARM_UP = 500
_numbers = count()


def call(router: Router) -> float:
    """A call that is decided, answered and rated; how long the decision took, in seconds."""
    number = next(_numbers)
    began_s = time.perf_counter()
    decision = router.decide("work", f"stage-{number % STAGES}", prompt="Sort these.", requires=["coding"])
    took_s = time.perf_counter() - began_s
    router.begin_outcome(decision.id, success=True, latency_ms=100.0, prompt_tokens=10, completion_tokens=5)
    router.begin_feedback(decision.id, 0.75, source=f"user:{number % 50}")
    return took_s


def figures(took_s: list[float]) -> dict[str, float]:
    """Percentiles, in microseconds, and the longest."""
    ranked = sorted(took_s)
    return {
        "calls": len(ranked),
        "p50_us": ranked[len(ranked) // 2] * 1e6,
        "p99_us": ranked[len(ranked) * 99 // 100] * 1e6,
        "longest_ms": ranked[-1] * 1e3,
    }


def measured(url: str, seconds: float, act: Callable[[], object]) -> dict[str, float]:
    """What a process of its own measures over the store at `url`, after `act` was done to that."""
    command = [sys.executable, "-m", "benchmarks.shared_store.calls", url, str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("a child without pipes")
        child.stdout.readline()
        act()
        child.stdin.write("go on\n")
        child.stdin.flush()
        said: dict[str, float] = json.loads(child.stdout.readline())
        child.kill()  # it would wait for a store that is away
    return said


def main() -> None:
    """Be such a process."""
    url, seconds = sys.argv[1], float(sys.argv[2])
    logging.disable()
    collect_in_small_steps()
    with tempfile.TemporaryDirectory() as folder, chdir(folder), Router(models=MODELS, store=url, seed=1) as router:
        for _ in range(WARM_UP):
            call(router)
        router.learner.flush(30)
        print("warm", flush=True)
        sys.stdin.readline()
        took_s = []
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            time.sleep(PACE_S)
            took_s.append(call(router))
        print(json.dumps(figures(took_s)), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
