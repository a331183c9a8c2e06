"""Ratings that come an hour late, and most of them never: how much better the best model would have been."""

from __future__ import annotations

from statistics import fmean

from support.outcomes import noisy
from support.reported import Reported
from tiercel.bootstrap import build_policy
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.replay.books import Terms
from tiercel.core.replay.catalogue import profiles
from tiercel.core.replay.driver import replay
from tiercel.core.replay.figures import run_figures
from tiercel.core.statistics.intervals import t_interval

QUALITIES = (0.60, 0.75, 0.90)
AN_HOUR = 1_000
"""Requests, of a gateway that has so many an hour."""


def regret_each(terms: Terms, requests: int, repeat: int) -> float:
    """By how much the best model is better than what was served, in quality per request."""
    table = noisy(requests, QUALITIES, [0.1, 0.2, 0.4], seed=repeat)
    policy = build_policy(RouteSettings(policy="contextual"), Settings(models=profiles(table)))
    shares = run_figures(replay(table, policy, terms, repeat=repeat)).share
    return sum(share * (max(QUALITIES) - quality) for share, quality in zip(shares, QUALITIES, strict=True))


def test_late_and_missing_feedback_costs_little_more_than_waiting_for_it(reported: Reported) -> None:
    requests, repeats = reported.size((3_000, 3), (12_000, 10))
    terms = {
        "1 h late, 70 % missing": Terms(feedback_rate=0.3, delay=AN_HOUR),
        "at once, none missing": Terms(),
    }
    regrets: dict[str, float] = {}
    for name, these in terms.items():
        found = [regret_each(these, requests, repeat) for repeat in range(repeats)]
        interval = t_interval(found)
        assert interval is not None
        regrets[name] = fmean(found)
        what = f"feedback {name}: regret against the best model, quality per request, {repeats} runs of {requests:,}"
        figure = f"{fmean(found):.4f} ({interval[0]:.4f} .. {interval[1]:.4f})"
        reported.told("late-feedback", what, figure, seeds=f"0..{repeats - 1}")
    # nothing is known for an hour: until then any model is as good as another
    unknowing = max(QUALITIES) - fmean(QUALITIES)
    late, prompt = regrets.values()
    assert late - prompt <= 1.5 * unknowing * AN_HOUR / requests + 0.02
