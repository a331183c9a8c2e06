"""The outcome table the demo replays: real prompts, real answers' quality and cost, real latencies.

Qualities and costs are recorded, per prompt and model. Two things nobody recorded, and this is how they are had:

* Token counts. The source charged `prices x tokens`, so from a recorded cost and the prices the counts follow once the
  prompt's are known. Those are taken to be the nearest to what another model's tokenizer counted for that prompt
  (recorded for 1,792 of 1,824), else to a quarter of its characters, for which the rest of the cost is a whole number
  of completion tokens. So tokens x price is the recorded cost exactly, though either count may be a few tokens off.
* Latencies. Each model borrows those of a smaller or larger model at a host of which 150 real requests were measured;
  which request's, the seed says.

`data/NOTICE` names the sources. `scripts/make_demo_data.py` makes the files.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from tiercel.domain.catalogue import ModelTier, Price

WORKFLOW = "benchmark"
"""The workflow all prompts belong to; their stage is the benchmark they come from."""

PROMPTS = 1824
"""How many prompts the table has."""

_USD_PER_UNIT = 1e-8
"""Every recorded cost, and every price of a token, is a whole number of these."""
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class DemoModel:
    """A model of the table: its id, its tier in the demo, and the price and context length the source gives it."""

    model_id: str
    tier: str
    price: Price
    context_length: int


MODELS = (
    DemoModel("llama-3.1-8b", ModelTier.CHEAP, Price(0.10, 0.10), 128_000),
    DemoModel("mistral-large-2512", ModelTier.CAPABLE, Price(0.50, 1.50), 128_000),
    DemoModel("gemini-2.5-pro", ModelTier.PREMIUM, Price(1.25, 10.00), 1_048_576),
)
"""Cheapest first."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one model did with one prompt: quality 0..1 and cost as recorded, tokens as derived from the cost."""

    quality: float
    cost_usd: float
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of the table; `stage` is the family of its benchmark ("bbh" for "bbh/snarks")."""

    id: str
    text: str
    stage: str
    recorded: Mapping[str, Recorded]


@dataclass(frozen=True, slots=True)
class Latencies:
    """Measured requests: time to the first token and to the last, in milliseconds, and whose they were."""

    host: str
    measured: str
    ttft_and_total_ms: tuple[tuple[float, float], ...]


def derived_tokens(cost_usd: float, price: Price, estimate: int) -> tuple[int, int]:
    """Prompt and completion tokens that cost exactly `cost_usd`, with the prompt's as near to `estimate` as can be.

    Raises `ValueError` where no whole numbers do.
    """
    units = round(cost_usd / _USD_PER_UNIT)
    per_prompt_token, per_completion_token = (round(usd / 1e6 / _USD_PER_UNIT) for usd in (price.input, price.output))
    for distance in range(per_completion_token):
        for prompt_tokens in (estimate - distance, estimate + distance):
            completion_tokens, rest = divmod(units - prompt_tokens * per_prompt_token, per_completion_token)
            if rest == 0 and prompt_tokens > 0 and completion_tokens > 0:
                return prompt_tokens, completion_tokens
    raise ValueError(f"no whole numbers of tokens near {estimate} cost {cost_usd} USD")


@cache
def prompts() -> tuple[Prompt, ...]:
    """The 1,824 prompts in the published order; about 40 ms the first time."""
    with (_data() / "outcomes.jsonl.gz").open("rb") as file, gzip.open(file, "rt", encoding="utf-8") as lines:
        return tuple(_prompt(json.loads(line)) for line in lines)


@cache
def latencies() -> Mapping[str, Latencies]:
    """The measured requests that stand in for each model's latency, by model id."""
    lines = (_data() / "latencies.jsonl").read_text(encoding="utf-8").splitlines()
    return {
        row["model"]: Latencies(row["host"], row["measured"], tuple(map(tuple, row["ttft_and_total_ms"])))
        for row in map(json.loads, lines)
    }


def latency_ms(prompt: Prompt, model_id: str, seed: int) -> tuple[float, float]:
    """Time to the first token and to the last of this prompt at this model: the same for the same seed."""
    drawn = random.Random(f"{seed}/{prompt.id}/{model_id}")  # noqa: S311 - reproducible draws are the purpose
    return drawn.choice(latencies()[model_id].ttft_and_total_ms)


def _data() -> Traversable:
    return resources.files(__package__) / "data"


def _prompt(row: dict[str, Any]) -> Prompt:
    text: str = row["prompt"]
    counted: int | None = row["prompt_tokens"]
    estimate = counted or len(text) // _CHARACTERS_PER_TOKEN
    recorded = {}
    for model in MODELS:
        cost_usd = row["cost_usd"][model.model_id]
        tokens = derived_tokens(cost_usd, model.price, estimate)
        recorded[model.model_id] = Recorded(row["quality"][model.model_id], cost_usd, *tokens)
    return Prompt(row["id"], text, row["task"].partition("/")[0], recorded)
