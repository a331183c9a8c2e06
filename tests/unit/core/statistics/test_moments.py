"""Moments add up in any order and any grouping, are taken back without a trace, and survive a store."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.statistics.moments import Moments

SIZE = 3


class Said(NamedTuple):
    shape: int
    z: tuple[float, ...]
    quality: float
    weight: float
    tick: float


figures = st.floats(-3, 3).map(lambda value: round(value, 4))
ticks = st.floats(0, 10) | st.floats(60, 70) | st.floats(120, 140) | st.just(300.0)
said = st.builds(
    Said,
    st.integers(-1, 3),
    st.tuples(*[figures] * SIZE),
    st.floats(0, 1).map(lambda value: round(value, 6)),
    st.sampled_from([1.0, 1.0, 0.25, 3.0]),
    ticks,
)


def moments_of(ratings: Iterable[Said], size: int = SIZE) -> Moments:
    moments = Moments(size)
    for rating in ratings:
        moments.add_label(*rating)
    return moments


def largest_difference(a: Moments, b: Moments) -> float:
    """Of any two sums, relative to the largest of all."""
    rows = []
    for moments, other in ((a, b), (b, a)):
        whole = Moments(moments.size, max(moments.landmark, other.landmark))
        whole.merge(moments)
        rows.append(whole)
    assert rows[0].landmark == rows[1].landmark
    differences, sizes = [0.0], [1e-300]
    pairs = [(rows[0].rr, rows[1].rr), *zip(rows[0].zz, rows[1].zz, strict=True)]
    for shape in rows[0].shapes.keys() | rows[1].shapes.keys():
        ours, theirs = (row.shapes.get(shape) for row in rows)
        flat = [(of.n, of.r, *of.z, *of.rz) if of is not None else (0.0,) * (2 + 2 * a.size) for of in (ours, theirs)]
        pairs += list(zip(*flat, strict=True))
    for x, y in pairs:
        differences.append(abs(x - y))
        sizes.append(max(abs(x), abs(y)))
    return max(differences) / max(sizes)


@given(st.lists(said, max_size=25), st.data())
def test_any_order_and_grouping_equals_one_writer(ratings: list[Said], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(ratings))
    writers = data.draw(st.lists(st.integers(0, 3), min_size=len(ratings), max_size=len(ratings)))
    parts = [moments_of(r for r, w in zip(shuffled, writers, strict=True) if w == writer) for writer in range(4)]
    left = Moments(SIZE)
    for part in parts:
        left.merge(part)
    right = Moments(SIZE)
    for part in reversed(parts):
        part.merge(right)
        right = part
    one = moments_of(ratings)
    assert left == one
    assert right == one
    if ratings:
        assert largest_difference(left, one) < 1e-9
        assert largest_difference(right, one) < 1e-9


@given(st.lists(said, max_size=15), st.lists(said, min_size=1, max_size=15), st.data())
def test_what_is_taken_back_leaves_nothing(kept: list[Said], revised: list[Said], data: st.DataObject) -> None:
    steps = [*kept, *revised, *(r._replace(weight=-r.weight) for r in revised)]
    moments = moments_of(data.draw(st.permutations(steps)))
    # up to 1e-9 of what the newest rating weighs: digits far below that were rounded away while it stood
    newest = math.floor(max(rating.tick for rating in steps))
    left = moments_of(kept)
    for each in (moments, left):
        each.merge(Moments(SIZE, newest))
    assert moments == left


def test_weights_fade_by_the_ticks_apart() -> None:
    moments = moments_of([Said(0, (1.0, 0.0, 0.0), 1.0, 1.0, 0.0), Said(0, (0.0, 0.0, 0.0), 0.0, 1.0, 2.0)])
    of = moments.shapes[0]
    assert of.r / (of.n - of.r) == pytest.approx(0.25)


@given(st.floats(0, 1), st.integers(65, 900))
def test_moving_the_landmark_is_exact(quality: float, apart: int) -> None:
    """The products of powers of two: nothing is rounded as long as nothing vanishes."""
    old = moments_of([Said(0, (1.5, -0.5, 3.0), quality, 1.0, 0.0)])
    before = (old.rr, *old.zz, old.shapes[0].r)
    old.merge(Moments(SIZE, apart))
    assert old.landmark == apart
    after = (old.rr, *old.zz, old.shapes[0].r)
    assert [math.ldexp(value, apart) for value in after] == pytest.approx(before, rel=1e-15)


@given(st.lists(said, max_size=15))
def test_there_and_back_by_a_row(ratings: list[Said]) -> None:
    moments = moments_of(ratings)
    row = json.loads(json.dumps(moments.to_row()))
    back = Moments.from_row(row)
    assert back.to_row() == moments.to_row()
    assert back == moments
    back.add_label(0, (1.0, 2.0, 3.0), 0.5, 1.0, 0.0)
    assert row == json.loads(json.dumps(moments.to_row())), "a row is not part of what was made of it"


def test_without_figures_there_are_counts_and_squares() -> None:
    moments = Moments(0)
    moments.add_label(-1, (), 0.5, 2.0, 0.0)
    assert (moments.rr, moments.zz, moments.shapes[-1].n, moments.shapes[-1].r) == (0.5, [], 2.0, 1.0)
    assert Moments.from_row(moments.to_row()) == moments


def test_another_basis_is_refused() -> None:
    with pytest.raises(ValueError, match="moments of 2 figures do not add to moments of 3"):
        Moments(3).merge(Moments(2))
    assert Moments(3) != Moments(2)
    with pytest.raises(ValueError, match="zip"):
        Moments(3).add_label(0, (1.0, 2.0), 0.5, 1.0, 0.0)


@pytest.mark.parametrize(
    "row",
    [
        [2, 0, 0.0, [0.0, 0.0], []],
        [2, 0, 0.0, [0.0, 0.0, 0.0], [[0, 1.0, 1.0, 0.0]]],
        [2, 0, 0.0, [0.0, 0.0, 0.0], [[0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]],
        [2, 0, 0.0],
    ],
)
def test_a_row_that_is_none_is_refused(row: Sequence[object]) -> None:
    with pytest.raises(ValueError, match=r"for 2 figures|unpack"):
        Moments.from_row(list(row))


def test_unequal_moments_are_not_equal() -> None:
    rating = Said(0, (1.0, 2.0, 3.0), 0.5, 1.0, 0.0)
    others = [
        rating._replace(shape=1),
        rating._replace(z=(1.0, 2.0, 3.1)),
        rating._replace(quality=0.6),
        rating._replace(weight=2.0),
        rating._replace(tick=1.0),
    ]
    assert all(moments_of([rating]) != moments_of([other]) for other in others)
    assert moments_of([rating]) != "moments"
