"""The choices without a router, computed from the same table."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.apps.demo.baselines import Figures, best_mix, blend, fixed, random_choice, served_by
from tiercel.apps.demo.table import MODELS, prompts

some_figures = st.builds(Figures, quality=st.floats(0, 1), cost_usd=st.floats(1e-6, 1e-1), latency_ms=st.floats(1, 1e5))


def test_fixed_choices_are_the_published_means() -> None:
    figures = fixed(prompts(), seed=0)
    assert [f"{f.quality:.3f} {f.cost_usd:.1e}" for f in figures.values()] == [
        "0.793 2.9e-05",
        "0.923 5.3e-04",
        "0.932 1.5e-02",
    ]


def test_each_prompt_counts_as_the_model_that_answered_it() -> None:
    asked = prompts()[:3]
    models = [model.model_id for model in MODELS]
    figures = served_by(models, asked, seed=0)
    recorded = [prompt.recorded[model] for prompt, model in zip(asked, models, strict=True)]
    assert figures.quality == pytest.approx(fmean(r.quality for r in recorded))
    assert figures.cost_usd == pytest.approx(fmean(r.cost_usd for r in recorded))


def test_random_is_the_mean_of_the_choices() -> None:
    figures = list(fixed(prompts(), seed=0).values())
    # the published reward of random choice on this split
    assert f"{random_choice(figures).quality:.3f}" == "0.883"


def test_a_mix_of_two_at_the_money_between_them() -> None:
    cheap, dear = Figures(0.8, 1.0, 100.0), Figures(0.9, 3.0, 300.0)
    assert best_mix([cheap, dear], 2.0) == blend([(0.5, cheap), (0.5, dear)])
    assert best_mix([cheap, dear], 9.0) == dear
    assert best_mix([cheap, dear], 0.5) == cheap


@given(st.lists(some_figures, min_size=1, max_size=5), st.floats(1e-6, 2e-1))
def test_no_choice_within_the_money_is_better_than_the_best_mix(choices: list[Figures], cost_usd: float) -> None:
    mix = best_mix(choices, cost_usd)
    cheapest = min(figures.cost_usd for figures in choices)
    assert mix.cost_usd <= max(cost_usd, cheapest) * (1 + 1e-9)
    assert all(mix.quality >= f.quality - 1e-9 for f in choices if f.cost_usd <= cost_usd)
