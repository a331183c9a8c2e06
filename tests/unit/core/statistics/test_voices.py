"""Fair shares: nobody is louder than the others, and nobody diligent is silenced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.statistics.voices import fair_share


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(1, 60), st.integers(1, 30))
def test_the_share_is_an_equal_part_or_the_least_that_makes_enough(counts: list[int], heard: int, enough: int) -> None:
    equal = -(-heard // len(counts))
    reachable = min(enough, sum(counts))
    least = next(share for share in range(1, 61) if sum(min(count, share) for count in counts) >= reachable)
    assert fair_share({str(i): c for i, c in enumerate(counts)}, heard=heard, enough=enough) == max(equal, least)


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ({"evaluator": 40}, 40),
        ({"evaluator": 40, "passer-by": 1}, 20),
        ({"evaluator": 40, "a": 1, "b": 1, "c": 1}, 12),
        (dict.fromkeys(map(str, range(20)), 5) | {"mallory": 40}, 2),
        ({}, 40),
    ],
)
def test_worked(counts: dict[str, int], share: int) -> None:
    assert fair_share(counts, heard=40, enough=15) == share
