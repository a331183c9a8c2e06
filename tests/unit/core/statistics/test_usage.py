"""What calls take adds up in any order, fades over weeks, and keeps apart what is unknown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.statistics.usage import (
    CALLS,
    COMPLETION,
    COST,
    COSTED,
    HALF_LIFE_S,
    PROMPT,
    TOKENED,
    Usage,
)

WEEK_US = HALF_LIFE_S * 1_000_000
NOW_US = 3_000 * WEEK_US


class Call(NamedTuple):
    shape: int
    at_us: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None


# one epoch at a time: what is 2 ** -64 of the newest is nothing to it, and nothing is compared with nothing
calls = st.builds(
    Call,
    st.integers(-1, 2),
    st.integers(0, 130).map(lambda week: NOW_US + week * WEEK_US // 3),
    st.none() | st.integers(0, 10_000),
    st.none() | st.integers(0, 10_000),
    st.none() | st.floats(0, 10).map(lambda value: round(value, 6)),
)


def usage_of(made: Iterable[Call]) -> Usage:
    usage = Usage()
    for call in made:
        usage.add_call(*call)
    return usage


@given(st.lists(calls, min_size=1, max_size=25), st.data())
def test_any_order_and_grouping_equals_one_writer(made: list[Call], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(made))
    writers = data.draw(st.lists(st.integers(0, 2), min_size=len(made), max_size=len(made)))
    whole = Usage()
    for writer in range(3):
        whole.merge(usage_of(c for c, w in zip(shuffled, writers, strict=True) if w == writer))
    one = usage_of(made)
    assert whole == one
    factor = 2.0 ** (whole.landmark - one.landmark)
    assert [factor * value for value in whole.total] == pytest.approx(one.total, rel=1e-9)


@given(st.lists(calls, max_size=15))
def test_there_and_back_by_a_row(made: list[Call]) -> None:
    usage = usage_of(made)
    back = Usage.from_row(json.loads(json.dumps(usage.to_row())))
    assert back.to_row() == usage.to_row()
    assert back == usage


def test_what_is_unknown_counts_in_no_mean() -> None:
    usage = usage_of(
        [
            Call(0, NOW_US, 10, 20, None),
            Call(0, NOW_US, None, None, 0.5),
            Call(0, NOW_US, 7, None, None),  # a prompt without its answer is no call's tokens
        ]
    )
    sums = usage.shapes[0]
    weight = sums[CALLS] / 3
    assert [value / weight for value in sums] == [3.0, 1.0, 10.0, 20.0, 1.0, 0.5]
    assert tuple(range(6)) == (CALLS, TOKENED, PROMPT, COMPLETION, COSTED, COST)


def test_a_call_of_a_week_ago_weighs_half() -> None:
    usage = usage_of([Call(0, NOW_US, 0, 100, None), Call(0, NOW_US + WEEK_US, 0, 400, None)])
    sums = usage.total
    assert sums[COMPLETION] / sums[TOKENED] == pytest.approx(300.0)


def test_nothing_is_nothing() -> None:
    assert Usage().total == (0.0,) * 6
    assert Usage() == Usage(2_922)
    assert Usage(2_922) == Usage()
    one = usage_of([Call(0, NOW_US, 1, 1, 1.0)])
    empty = Usage()
    empty.merge(one)
    assert empty == one
    one.merge(Usage())
    assert empty == one
    assert one != Usage()
    assert one != 1


@pytest.mark.parametrize("row", [[0, [[0, 1.0]]], [0, [[0, *[1.0] * 7]]], [0]])
def test_a_row_that_is_none_is_refused(row: list[object]) -> None:
    with pytest.raises(ValueError, match=r"sums of a shape|unpack"):
        Usage.from_row(row)
