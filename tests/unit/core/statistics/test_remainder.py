"""What only a part of a log that is gone had taught, to the last digit."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from support.happenings import SEGMENTS, feedback, outcome, standing
from tiercel.core.statistics.fold import Deltas, fold
from tiercel.core.statistics.remainder import remainder
from tiercel.domain.events import Event

NUMBERS = st.integers(0, 500)
SEGMENT = st.sampled_from(SEGMENTS)
OUTCOMES = st.builds(
    lambda number, segment, agent, success: outcome(
        number, seconds=number * 97, segment=segment, agent_id=agent, success=success
    ),
    NUMBERS,
    SEGMENT,
    st.sampled_from(("", "a", "b")),
    st.booleans(),
)
RATINGS = st.builds(
    lambda number, segment, quality: feedback(f"f{number}", quality, seconds=number * 89, segment=segment),
    NUMBERS,
    SEGMENT,
    st.floats(0, 1),
)
STANDINGS = st.builds(lambda number, segment: standing(number, segment=segment), st.integers(1, 9), SEGMENT)


def taught(events: Sequence[Event]) -> Deltas:
    return fold(events).climbed(0.0)


@given(
    st.lists(OUTCOMES | RATINGS | STANDINGS, max_size=30, unique_by=lambda event: event.id),
    st.sets(st.sampled_from(SEGMENTS)),
)
def test_with_what_the_others_teach_it_is_the_whole(events: list[Event], lost: set[tuple[str, ...]]) -> None:
    others = [event for event in events if event.segment not in lost]
    missing = remainder(taught(events), taught(others), lost.__contains__)
    assert bool(missing) == (len(others) < len(events))
    whole = Deltas()
    whole.merge(taught(others), missing)
    assert whole.climbed(0.0) == taught(events)


def test_what_others_know_beyond_it_is_not_taken_off() -> None:
    here, there = outcome(1, segment=SEGMENTS[0]), outcome(2, segment=SEGMENTS[1])
    missing = remainder(taught([here]), taught([there, outcome(3, segment=SEGMENTS[1])]), lambda s: s == SEGMENTS[0])
    assert all(sums.requests >= 0 for sums in missing.sums.values())
