"""The shares of what is not believed best: they sum to 1, keep everything alive and give nothing to what may not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.policies.exploration import ExplorationSettings, explore
from tiercel.core.policies.outlook import Prospect
from tiercel.domain.catalogue import ModelProfile

SETTINGS = ExplorationSettings()
BUDGET = 0.001


def prospect(name: str, quality: float, deviation: float, cost_usd: float, *, newcomer: bool = False) -> Prospect:
    model = ModelProfile(model_id=name, tier="cheap")
    return Prospect(model, quality, deviation, cost_usd, None, newcomer)


@st.composite
def choices(draw: st.DrawFn) -> tuple[list[Prospect], list[float], int]:
    count = draw(st.integers(1, 8))
    prospects, utilities = [], []
    for i in range(count):
        prospects.append(
            prospect(
                f"m{i}",
                draw(st.floats(0, 1)),
                draw(st.floats(0.005, 0.4)),
                draw(st.sampled_from([0.0, 1e-7, 1e-4, 1e-3, 0.1])),
                newcomer=draw(st.booleans()),
            )
        )
        utilities.append(draw(st.floats(-5, 1) | st.just(-math.inf)))
    best = max(range(count), key=lambda i: utilities[i])
    return prospects, utilities, best


@given(choices(), st.none() | st.floats(1e-6, 1e-2))
def test_shares_are_a_distribution_that_leaves_out_what_is_not_allowed(
    choice: tuple[list[Prospect], list[float], int], budget_usd: float | None
) -> None:
    prospects, utilities, best = choice
    shares = explore(prospects, utilities, best, SETTINGS, budget_usd)
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)
    assert all(share >= 0 for share in shares)
    assert shares[best] >= 0.5 - 1e-12
    for i, utility in enumerate(utilities):
        if i != best and utility == -math.inf:
            assert shares[i] == 0.0
    if len(prospects) > 1:
        most = SETTINGS.most + SETTINGS.floor
        assert all(share <= most + 1e-12 for i, share in enumerate(shares) if i != best)


@given(choices(), st.floats(1e-6, 1e-2))
def test_trying_dearer_models_costs_at_most_what_is_spare(
    choice: tuple[list[Prospect], list[float], int], spare_usd: float
) -> None:
    prospects, utilities, best = choice
    shares = explore(prospects, utilities, best, SETTINGS, spare_usd)
    greedy = prospects[best].cost_usd
    # what has the higher utility though it is not believed best, as a newcomer, pays for itself
    extras = {
        i: prospects[i].cost_usd - greedy
        for i, utility in enumerate(utilities)
        if -math.inf < utility < utilities[best] and prospects[i].cost_usd > greedy
    }
    # the floor itself costs no more than a floor's share of what is served anyway, or a twentieth of the floor
    floor_usd = SETTINGS.floor * max((greedy, *(0.05 * prospects[i].cost_usd for i in extras)))
    assert sum(shares[i] * extra for i, extra in extras.items()) <= spare_usd + floor_usd + 1e-12


def test_every_model_that_costs_something_is_kept_alive() -> None:
    """However bad it is believed to be, it has its part of the floor: it is found out when it mends."""
    prospects = [
        prospect("good", 0.95, 0.01, 1e-3),
        prospect("bad", 0.1, 0.02, 1e-3),
        prospect("dear", 0.1, 0.02, 1e-2),
    ]
    shares = explore(prospects, [0.95, 0.1, -0.5], 0, SETTINGS, None)
    assert shares[1] == pytest.approx(SETTINGS.floor / 2)
    assert shares[2] == pytest.approx(SETTINGS.floor / 2 / 10)


def test_the_nearer_and_the_less_known_the_more_it_is_tried() -> None:
    def share(gap: float, deviation: float) -> float:
        prospects = [prospect("a", 0.8, 0.05, 1e-3), prospect("b", 0.8 - gap, deviation, 1e-3)]
        return explore(prospects, [0.8, 0.8 - gap], 0, SETTINGS, None)[1]

    assert [share(gap, 0.05) for gap in (0.0, 0.01, 0.03)] == sorted(
        (share(g, 0.05) for g in (0.0, 0.01, 0.03)), reverse=True
    )
    assert share(0.02, 0.2) > share(0.02, 0.05) > share(0.02, 0.01)
    assert share(0.0, 0.05) == pytest.approx(SETTINGS.most + SETTINGS.floor)


def test_what_is_known_for_sure_is_not_tried_beyond_the_floor() -> None:
    prospects = [prospect("a", 0.9, 0.005, 1e-3), prospect("b", 0.8, 0.005, 1e-3)]
    assert explore(prospects, [0.9, 0.8], 0, SETTINGS, None)[1] == pytest.approx(SETTINGS.floor)


@pytest.mark.parametrize(("gap", "tried"), [(0.1, True), (0.6, False)])
def test_a_newcomer_is_tried_while_it_may_be_better(gap: float, tried: bool) -> None:  # noqa: FBT001 - a table's column
    known = prospect("known", 0.8, 0.02, 1e-3)
    newcomer = prospect("new", 0.8 - gap, 0.15, 1e-3, newcomer=True)
    share = explore([known, newcomer], [0.8, 0.8 - gap], 0, SETTINGS, None)[1]
    assert (share >= SETTINGS.trial) == tried
    assert share <= SETTINGS.most + SETTINGS.floor
    without = explore([known, newcomer._replace(newcomer=False)], [0.8, 0.8 - gap], 0, SETTINGS, None)[1]
    assert (share > without) == tried


def test_without_a_budget_what_was_never_tried_is_tried() -> None:
    """Far cheaper ones must not keep it from being known; a budget says itself what may be tried."""
    known = prospect("known", 0.8, 0.01, 1e-4)
    never = prospect("never", 0.75, 0.13, 1e-3)._replace(unproven=True)
    utilities = [0.79, 0.64]
    assert explore([known, never], utilities, 0, SETTINGS, None)[1] >= SETTINGS.trial
    assert explore([known, never], utilities, 0, SETTINGS, 1e-6)[1] < SETTINGS.floor
    assert explore([known, never._replace(unproven=False)], utilities, 0, SETTINGS, None)[1] < SETTINGS.floor


def test_where_the_best_is_sought_what_may_be_it_is_tried_at_any_price() -> None:
    known = prospect("known", 0.8, 0.01, 1e-4)
    dear = prospect("dear", 0.75, 0.13, 1.0)._replace(unproven=True)
    assert explore([known, dear], [0.79, -3.0], 0, SETTINGS, None, seek_best=True)[1] >= SETTINGS.trial
    assert explore([known, dear], [0.79, -3.0], 0, SETTINGS, None)[1] < SETTINGS.floor


def test_no_floor_and_no_doubt_is_greedy() -> None:
    strict = replace(SETTINGS, floor=0.0, temperature=1e-6)
    prospects = [prospect("a", 0.9, 0.1, 1e-3), prospect("b", 0.8, 0.1, 1e-3)]
    assert explore(prospects, [0.9, 0.8], 0, strict, BUDGET) == [1.0, 0.0]


def test_what_became_worse_is_tried_again() -> None:
    good = prospect("good", 0.95, 0.01, 1e-3)
    fallen = prospect("fallen", 0.3, 0.02, 1e-3)._replace(fallen=True)
    assert explore([good, fallen], [0.95, 0.3], 0, SETTINGS, None)[1] >= SETTINGS.retrial
