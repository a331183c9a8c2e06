"""Counts, sums and the latency sketch of one time bucket."""

from __future__ import annotations

import pytest

from tiercel.core.statistics.sums import Sums, total


def called(*latencies_ms: float, failures: int = 0) -> Sums:
    sums = Sums()
    for number, latency_ms in enumerate((*latencies_ms, *[1.0] * failures)):
        sums.add_call(
            success=number < len(latencies_ms),
            latency_ms=latency_ms,
            prompt_tokens=10,
            completion_tokens=None,
            cost_usd=0.1,
            match_score=90.0 if number % 2 == 0 else None,
        )
    return sums


def test_nothing_has_no_figures() -> None:
    sums = Sums()
    assert not sums
    assert sums.success_rate is sums.mean_latency_ms is sums.min_latency_ms is sums.max_latency_ms is None
    assert sums.mean_match_score is sums.mean_quality is sums.latency_quantile_ms(0.5) is None
    assert (sums.cost_usd, sums.failures) == (0.0, 0)


def test_calls_in_figures() -> None:
    sums = called(100.0, 200.0, 600.0, failures=1)
    assert sums
    assert (sums.requests, sums.successes, sums.failures, sums.success_rate) == (4, 3, 1, 0.75)
    assert (sums.min_latency_ms, sums.max_latency_ms, sums.mean_latency_ms) == (100.0, 600.0, 300.0)
    assert (sums.prompt_tokens, sums.completion_tokens, sums.costed) == (40, 0, 4)
    assert sums.cost_usd == 0.4  # exactly: added up in 1e-9 of a dollar
    assert sums.mean_match_score == 90.0


def test_known_fault_6_a_call_that_fails_fast_makes_no_model_fast() -> None:
    assert called(400.0, failures=50).mean_latency_ms == 400.0
    assert called(400.0, failures=50).latency_quantile_ms(0.5) == pytest.approx(400.0, rel=0.01)
    assert called(failures=50).mean_latency_ms is None


@pytest.mark.parametrize(("q", "exact_ms"), [(0.0, 1.0), (0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0)])
def test_quantiles_within_a_hundredth(q: float, exact_ms: float) -> None:
    sums = called(*map(float, range(1, 101)))
    assert sums.latency_quantile_ms(q) == pytest.approx(exact_ms, rel=0.01)


def test_latencies_beyond_all_reason_are_bounded_and_so_is_the_sketch() -> None:
    sums = called(0.0, -5.0, 1e-30, 1e30, *(1.01**n for n in range(-2_000, 3_000)))
    assert (sums.min_latency_ms, sums.max_latency_ms) == (1e-3, 86_400_000.0)
    assert len(sums.latency_bins) <= 1_262


def test_a_rating_taken_back_leaves_nothing() -> None:
    sums = Sums()
    for quality_nano in (100_000_001, 333_333_333):
        sums.add_ratings(1, quality_nano, quality_nano**2)
    assert sums.mean_quality == pytest.approx(0.216666667)
    for quality_nano in (333_333_333, 100_000_001):
        sums.add_ratings(-1, -quality_nano, -(quality_nano**2))
    assert sums == Sums()
    assert not sums


def test_dropping_the_ratings_keeps_the_calls() -> None:
    sums = called(5.0)
    sums.add_ratings(1, 7, 49)
    sums.drop_ratings()
    assert sums == called(5.0)


def test_a_hundred_million_calls_are_no_float() -> None:
    """Where 64 bits end: sums of 1e-9 go on exactly, and through a row too."""
    sums = total([called(1e6)] * 2)
    for _ in range(40):
        sums = total([sums, sums])
    assert sums.match_nano == 90_000_000_000 * (1 << 41) > 1 << 64
    assert Sums.from_row(sums.to_row()) == sums


def test_rows_are_copies() -> None:
    sums = called(5.0)
    copy = Sums.from_row(sums.to_row())
    copy.merge(called(6.0))
    assert sums == called(5.0)
    assert sums != copy
    assert repr(copy) == "Sums(requests=2, successes=2, ratings=0)"
