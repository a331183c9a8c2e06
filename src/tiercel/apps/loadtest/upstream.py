"""A scripted OpenAI-compatible upstream whose models behave as a scenario says.

Run as a process: python -m tiercel.apps.loadtest.upstream --port P --scenario NAME --duration S --seed N. Time counts
from the first chat request. An answer's text says how good it is ("quality 0.83"), for the test to rate it by: what is
answered to one text at one time is the same in every run.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import re
import time
from collections.abc import Callable

from tiercel.apps.demo.upstream import Refused, Scripted, serve
from tiercel.apps.loadtest.scenarios import MODELS, SCENARIOS, Scenario

_QUALITY = re.compile(r"quality (\d\.\d+)")
_SPREAD = 0.25
_DEVIATION = 0.1


def quality_in(text: str) -> float | None:
    """How good an answer says it is; None of an answer that says nothing."""
    found = _QUALITY.search(text)
    return float(found[1]) if found else None


class LoadScript:
    """Answers as the models of a scenario do; `monotonic_s` tells the time."""

    def __init__(self, scenario: Scenario, duration_s: float, seed: int, monotonic_s: Callable[[], float]) -> None:
        self._scenario = scenario
        self._duration_s = duration_s
        self._seed = seed
        self._monotonic_s = monotonic_s
        self._began_s: float | None = None

    def answer(self, line: str, body: bytes) -> Scripted:
        """The answer to a request, by its method and path and its body. Raises `Refused`."""
        if line != "POST /v1/chat/completions":
            raise Refused(404, f"the test answers POST /v1/chat/completions, not {line}")
        now_s = self._monotonic_s()
        if self._began_s is None:
            self._began_s = now_s
        phase = self._scenario.phase((now_s - self._began_s) / self._duration_s)
        try:
            request = json.loads(body)
            model_id, text = request["model"], str(request["messages"][-1]["content"])
            model = next(model for model in MODELS if model.model_id == model_id)
        except (ValueError, LookupError, TypeError, StopIteration) as error:
            raise Refused(400, "a chat request needs a model of the test and messages") from error
        behaviour = phase.models.get(model_id, model.behaviour)
        drawn = random.Random(f"{self._seed}/{text}/{model_id}")  # noqa: S311 - reproducible draws are the purpose
        if drawn.random() < behaviour.failure_rate:
            raise Refused(503, "the scenario has this model fail")
        latency_s = behaviour.latency_ms * drawn.lognormvariate(0.0, _SPREAD) / 1_000
        quality = min(max(drawn.gauss(behaviour.quality, _DEVIATION), 0.0), 1.0)
        return Scripted(latency_s / 2, latency_s, bool(request.get("stream")), _completion(model_id, text, quality))


def _completion(model_id: str, text: str, quality: float) -> dict[str, object]:
    prompt_tokens, completion_tokens = max(1, len(text) // 4), 60
    return {
        "id": f"chatcmpl-{hashlib.sha256(f'{model_id}/{text}'.encode()).hexdigest()[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": model_id,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": f"An answer of quality {quality:.4f}."},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description="answers as the models of a load test's scenario do")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--scenario", choices=SCENARIOS, required=True)
    parser.add_argument("--duration", type=float, required=True, help="how long the test lasts, in seconds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    script = LoadScript(SCENARIOS[options.scenario], options.duration, options.seed, time.monotonic)
    asyncio.run(serve(script, options.port))


if __name__ == "__main__":
    main()
