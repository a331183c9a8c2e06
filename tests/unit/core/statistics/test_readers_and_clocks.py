"""The learned state in memory: read while it is written, and by clocks that were ahead."""

from __future__ import annotations

from collections.abc import Callable, ItemsView
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from support.happenings import REVIEW, at, feedback, outcome
from tiercel.core.statistics.buckets import CLOCKS_APART_US
from tiercel.core.statistics.fold import OVERALL, Deltas, fold, micros, segment_model_key, segment_tier_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.sums import Sums

DAY_S = 86_400.0
NOW_US = micros(at(0))


class _Watched(dict[int, int]):
    """Latency bins that let someone look when the figures before them are merged and they are not."""

    def __init__(self, bins: dict[int, int], look: Callable[[], None]) -> None:
        super().__init__(bins)
        self._look = look

    def items(self) -> ItemsView[int, int]:  # type: ignore[override]
        self._look()
        return super().items()


READS: dict[str, Callable[[Knowledge], Sums]] = {
    "sums": lambda knowledge: knowledge.sums(OVERALL),
    "buckets": lambda knowledge: knowledge.buckets(OVERALL)[0][1],
    "export": lambda knowledge: next(s for (key, _), s in knowledge.export().sums.items() if key == OVERALL),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_sums_are_never_seen_half_merged(read: Callable[[Knowledge], Sums]) -> None:
    knowledge = Knowledge()
    knowledge.add(fold([outcome(1)]))
    seen = read(knowledge)
    deltas = fold([outcome(n, latency_ms=n * 100.0) for n in range(2, 12)])
    with ThreadPoolExecutor() as readers:
        asked = []

        def look() -> None:
            asked.append(readers.submit(read, knowledge))
            wait(asked, timeout=0.05)

        for sums in deltas.sums.values():
            sums.latency_bins = _Watched(sums.latency_bins, look)
        knowledge.add(deltas)
        for answer in asked:
            read_then = answer.result()
            assert read_then.requests == sum(read_then.latency_bins.values())
    assert asked
    # and what was handed out before stays as it was
    assert seen.requests == sum(seen.latency_bins.values()) == 1


def calls(numbers: range, *, seconds: float, success: bool) -> Deltas:
    return fold([outcome(n, seconds=seconds + n / 1e3, success=success) for n in numbers])


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize("ahead_s", [3_600.0, 7 * DAY_S, 68 * 365 * DAY_S])
def test_a_clock_that_was_ahead_does_not_hide_what_happens_now(ahead_s: float, *, together: bool) -> None:
    knowledge, key = Knowledge(), segment_model_key(REVIEW, "small")
    knowledge.add(calls(range(100), seconds=ahead_s, success=True), now_us=NOW_US + round(ahead_s * 1e6))
    seen = knowledge.outcomes(key).summary(now_us=NOW_US)
    assert seen.requests == 0
    for batch in [range(100, 1_100)] if together else [range(n, n + 1) for n in range(100, 300)]:
        knowledge.add(calls(batch, seconds=0.0, success=False), now_us=NOW_US + 2_000_000)
    seen = knowledge.outcomes(key).summary(at_least=10, now_us=NOW_US + 2_000_000)
    assert (seen.requests, seen.successes) == (100, 0)
    assert knowledge.sums(key).successes == 100


@pytest.mark.parametrize("ahead_s", [3_600.0, 7 * DAY_S])
def test_nor_does_it_hide_how_answers_are_rated_now(ahead_s: float) -> None:
    knowledge, key = Knowledge(), segment_tier_key(REVIEW, "cheap")
    before = [feedback(f"f{n}", 1.0, seconds=ahead_s, source=f"user:{n % 20}") for n in range(800)]
    knowledge.add(fold(before), now_us=NOW_US + round(ahead_s * 1e6))
    assert knowledge.ratings(key).summary(now_us=NOW_US).mean is None
    for n in range(40):
        rating = feedback(f"g{n}", 0.0, source=f"user:{n % 20}")
        knowledge.add(fold([rating]), now_us=NOW_US)
    seen = knowledge.ratings(key).summary(now_us=NOW_US)
    assert (seen.samples, seen.mean) == (40, 0.0)


def test_clocks_may_differ_a_little() -> None:
    knowledge, key = Knowledge(), segment_model_key(REVIEW, "small")
    knowledge.add(fold([outcome(1, seconds=CLOCKS_APART_US / 1e6)]), now_us=NOW_US)
    assert knowledge.outcomes(key).summary(now_us=NOW_US).requests == 1
    assert knowledge.outcomes(key).summary(now_us=NOW_US - 1).requests == 0
