"""Ratings fade by ratings: no flood wipes out what was known, and no silence keeps it for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.statistics.label_clock import HALF_LIFE_LABELS, LONGEST_S, SHORTEST_S, LabelClock

DAY_US = 86_400_000_000


def test_the_first_reading_is_zero_however_late_it_is() -> None:
    assert LabelClock().after(1, 17) == (0.0, 17)
    assert LabelClock().after(10**9, 400 * DAY_US) == (0.0, 400 * DAY_US)


@pytest.mark.parametrize(
    ("labels", "days", "half_lives"),
    [
        (HALF_LIFE_LABELS, 5, 1.0),
        (2 * HALF_LIFE_LABELS, 5, 2.0),
        (1, 1, 1 / 30),  # nobody has confirmed it for a day
        (0, 30, 1.0),  # a month of silence
        (0, 90, 3.0),
        (10 * HALF_LIFE_LABELS, 5, 5.0),  # a flood counts as at most one half-life a day
        (10**9, 0, 0.0),  # and within the same instant not at all
    ],
)
def test_half_lives(labels: int, days: int, half_lives: float) -> None:
    clock = LabelClock(2.5, DAY_US)
    assert clock.after(labels, (1 + days) * DAY_US).tick == pytest.approx(2.5 + half_lives)


def test_a_flood_within_a_second_does_not_fade_what_was_said_the_day_before() -> None:
    """By more than the rule: the day that passed, one half-life."""
    yesterday = LabelClock().after(1, DAY_US)
    clock = yesterday
    for i in range(100_000):
        clock = clock.after(1, 2 * DAY_US + 10 * i)
    assert clock.tick - yesterday.tick <= 1.0 + 1 / SHORTEST_S
    quiet = yesterday.after(1, 2 * DAY_US)
    assert quiet.tick == pytest.approx(SHORTEST_S / LONGEST_S)


steps = st.lists(st.tuples(st.integers(0, 5_000), st.floats(-3_600, 90 * 86_400)), min_size=1, max_size=30)


@given(steps)
def test_it_never_runs_backwards_and_within_its_limits(moves: list[tuple[int, float]]) -> None:
    clock = LabelClock().after(1, DAY_US)
    now_us = DAY_US
    for labels, seconds in moves:
        now_us += round(seconds * 1e6)
        after = clock.after(labels, now_us)
        passed_s = (after.at_us - clock.at_us) / 1e6
        assert passed_s >= 0
        advance = after.tick - clock.tick
        assert passed_s / LONGEST_S - 1e-9 <= advance <= passed_s / SHORTEST_S + 1e-9
        clock = after
