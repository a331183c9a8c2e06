"""Every model as often as it is the best of a draw from the beliefs: by counting."""

from __future__ import annotations

import math
import random

import pytest

from tiercel.core.pacing import Goal
from tiercel.core.policies.contextual import ContextualSettings
from tiercel.core.policies.outlook import Prospect
from tiercel.core.policies.thompson import ThompsonPolicy
from tiercel.domain.catalogue import ModelProfile

DRAWS = 20_000


def prospects_of(means: list[float], deviations: list[float], cost_usd: float = 1e-3) -> list[Prospect]:
    return [
        Prospect(ModelProfile(model_id=f"m{i}", tier="cheap"), mean, deviation, cost_usd * (i + 1), None, False)
        for i, (mean, deviation) in enumerate(zip(means, deviations, strict=True))
    ]


@pytest.mark.parametrize(
    ("means", "deviations"),
    [
        ([0.8, 0.7], [0.1, 0.1]),
        ([0.8, 0.7, 0.6], [0.1, 0.15, 0.3]),
        ([0.9, 0.85, 0.84, 0.5, 0.3], [0.04, 0.08, 0.06, 0.2, 0.25]),
        ([0.7, 0.695], [0.02, 0.15]),
        ([0.6] * 2 + [0.55] * 2, [0.05, 0.05, 0.1, 0.1]),
    ],
)
def test_probabilities_are_those_of_counting_draws(means: list[float], deviations: list[float]) -> None:
    policy = ThompsonPolicy()
    best = max(range(len(means)), key=lambda i: means[i])
    shares = policy.shares(prospects_of(means, deviations), means, best)
    chance = random.Random(str(means))
    counts = [0] * len(means)
    for _ in range(DRAWS):
        drawn = [chance.gauss(m, policy.temperature * s) for m, s in zip(means, deviations, strict=True)]
        counts[drawn.index(max(drawn))] += 1
    # more than half of the traffic is never given away
    others = DRAWS - counts[best]
    scale = min(1.0, 0.5 * DRAWS / others)
    for i, (share, count) in enumerate(zip(shares, counts, strict=True)):
        expected = count / DRAWS
        slack = 3 * math.sqrt(max(expected * (1 - expected), 1 / DRAWS) / DRAWS)
        if scale < 1.0:
            expected, slack = (0.5 if i == best else scale * expected), 2 * slack
        assert share == pytest.approx(expected, abs=slack)


def test_what_is_not_allowed_is_never_drawn_and_bars_nobody() -> None:
    means = [0.8, -math.inf, 0.7]
    shares = ThompsonPolicy().shares(prospects_of([0.8, 0.99, 0.7], [0.1] * 3), means, 0)
    assert shares[1] == 0.0
    assert sum(shares) == pytest.approx(1.0)
    alone = ThompsonPolicy().shares(prospects_of([0.8, 0.7], [0.1] * 2), [0.8, 0.7], 0)
    assert shares[2] == pytest.approx(alone[1])


def test_alone_it_has_everything() -> None:
    assert ThompsonPolicy().shares(prospects_of([0.5], [0.1]), [0.5], 0) == [1.0]


def test_trying_dearer_models_costs_at_most_a_share_of_the_budget() -> None:
    budget = 1e-5
    policy = ThompsonPolicy(ContextualSettings(goal=Goal(budget_usd=budget)))
    assert policy.settings.caution == 0.0
    prospects = prospects_of([0.8, 0.79, 0.78], [0.1] * 3)
    shares = policy.shares(prospects, [0.8, 0.79, 0.78], 0)
    share_of_budget = policy.settings.pacing.trials
    for share, prospect in zip(shares[1:], prospects[1:], strict=True):
        assert share * (prospect.cost_usd - prospects[0].cost_usd) <= share_of_budget * budget + 1e-15
    assert sum(shares) == pytest.approx(1.0)
