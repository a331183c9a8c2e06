from __future__ import annotations

import pytest

from tiercel.core.statistics.intervals import t_interval, t_quantile


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (19, 2.0930), (30, 2.0423), (120, 1.9799)],
)
def test_the_quantiles_are_those_of_the_printed_tables(degrees: int, quantile: float) -> None:
    assert t_quantile(degrees) == pytest.approx(quantile, abs=5e-5)


def test_an_interval_by_hand() -> None:
    # mean 2, standard deviation 1, three values: 4.3027 / sqrt(3)
    interval = t_interval([1.0, 2.0, 3.0])
    assert interval == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=1e-4)


def test_one_value_has_none() -> None:
    assert t_interval([1.0]) is None
