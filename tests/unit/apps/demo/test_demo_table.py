"""The demo's data against the figures its sources published, and the token counts derived from them."""

import gzip
import json
import re
from importlib import resources
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.apps.demo.table import MODELS, derived_tokens, latencies, latency_ms, prompts
from tiercel.domain.catalogue import DEFAULT_TIERS, Price

DATA = resources.files("tiercel.apps.demo") / "data"


# ParetoBandit, test split: quality and USD per request of each model served alone, to the digits published
@pytest.mark.parametrize(
    ("model", "quality", "cost_usd"),
    [
        ("llama-3.1-8b", ".793", "2.9e-05"),
        ("mistral-large-2512", ".923", "5.3e-04"),
        ("gemini-2.5-pro", ".932", "1.5e-02"),
    ],
)
def test_the_means_are_the_published_ones(model: str, quality: str, cost_usd: str) -> None:
    recorded = [prompt.recorded[model] for prompt in prompts()]
    assert len(recorded) == 1824
    assert f"{fmean(r.quality for r in recorded):.3f}".lstrip("0") == quality
    assert f"{fmean(r.cost_usd for r in recorded):.1e}" == cost_usd


def test_the_catalogues_arithmetic_on_the_derived_tokens_gives_every_recorded_cost() -> None:
    for prompt in prompts():
        for model in MODELS:
            recorded = prompt.recorded[model.model_id]
            cost_usd = model.price.cost_usd(recorded.prompt_tokens, recorded.completion_tokens)
            assert cost_usd == pytest.approx(recorded.cost_usd, rel=1e-12)


def test_derived_prompt_tokens_stay_within_a_few_of_those_another_tokenizer_counted() -> None:
    with (DATA / "outcomes.jsonl.gz").open("rb") as file, gzip.open(file, "rt", encoding="utf-8") as lines:
        counted = {row["id"]: row["prompt_tokens"] for row in map(json.loads, lines)}
    assert sum(count is not None for count in counted.values()) == 1792
    distances = [
        abs(recorded.prompt_tokens - counted[prompt.id])
        for prompt in prompts()
        if counted[prompt.id] is not None
        for recorded in prompt.recorded.values()
    ]
    # the dearest completion token costs as much as 8 prompt tokens, so the nearest fit is at most 4 away
    assert max(distances) <= 4


@given(
    st.sampled_from([model.price for model in MODELS]),
    st.integers(1, 4_000),
    st.integers(1, 20_000),
    st.integers(-3, 3),
)
def test_tokens_derived_from_a_cost_have_that_cost(price: Price, prompt: int, completion: int, off: int) -> None:
    cost_usd = price.cost_usd(prompt, completion)
    derived = derived_tokens(cost_usd, price, max(1, prompt + off))
    assert price.cost_usd(*derived) == pytest.approx(cost_usd, rel=1e-12)
    assert min(derived) > 0


def test_a_cost_that_no_tokens_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no whole numbers of tokens near 50 cost 1e-06 USD"):
        derived_tokens(1e-6, Price(1.25, 10.0), 50)


def test_there_are_nine_stages_of_at_least_49_prompts_and_every_prompt_is_unique() -> None:
    stages = [prompt.stage for prompt in prompts()]
    assert len(set(stages)) == 9
    assert min(map(stages.count, set(stages))) == 49
    assert len({prompt.id for prompt in prompts()}) == len({prompt.text for prompt in prompts()}) == 1824


def test_each_tier_has_a_model_and_each_model_measured_latencies() -> None:
    assert tuple(model.tier for model in MODELS) == DEFAULT_TIERS
    measured = latencies()
    assert [len(measured[model.model_id].ttft_and_total_ms) for model in MODELS] == [150, 150, 101]
    means = [fmean(total for _, total in measured[model.model_id].ttft_and_total_ms) for model in MODELS]
    assert means == sorted(means)
    assert all(0 < first <= total for m in measured.values() for first, total in m.ttft_and_total_ms)


def test_a_latency_is_one_of_the_measured_and_depends_on_the_seed_alone() -> None:
    some = prompts()[:50]
    drawn = [latency_ms(prompt, "gemini-2.5-pro", 1) for prompt in some]
    assert drawn == [latency_ms(prompt, "gemini-2.5-pro", 1) for prompt in some]
    assert drawn != [latency_ms(prompt, "gemini-2.5-pro", 2) for prompt in some]
    assert set(drawn) <= set(latencies()["gemini-2.5-pro"].ttft_and_total_ms)


def test_the_notices_name_source_commit_and_licence() -> None:
    here = (DATA / "NOTICE").read_text(encoding="utf-8")
    root = (Path(__file__).parents[4] / "NOTICE").read_text(encoding="utf-8")
    for notice in (here, root):
        for named in (
            "https://github.com/ParetoBandit/ParetoBandit",
            "72ccbefe",
            "Copyright 2025 ParetoBandit Authors",
            "https://github.com/ray-project/llmperf-leaderboard",
            "27aa9b6a",
            "Apache License, Version 2.0",
        ):
            assert named in re.sub(r"\s+", " ", notice)
    assert here.count("Changed:") == 2
    for stand_in in latencies().values():
        assert f"{stand_in.host} {stand_in.measured}" in re.sub(r"\s+", " ", here)
