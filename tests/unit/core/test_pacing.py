"""The price of money against brute force, and the bucket's inequality on streams made to break it."""

from __future__ import annotations

import math
import random
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.told import tell
from tiercel.core.hull import upper_hull
from tiercel.core.pacing import (
    NEVER,
    Bucket,
    Goal,
    Pacer,
    PacingSettings,
    Points,
    climb,
    price_for_quality,
    price_for_spend,
)

Point = tuple[float, float]
points = st.lists(
    st.tuples(st.integers(0, 50).map(lambda cents: cents / 100), st.integers(0, 100).map(lambda q: q / 100)),
    min_size=1,
    max_size=6,
)
requests = st.lists(points, min_size=1, max_size=12)


def chosen(options: list[Point], price: float) -> Point:
    """The point of the highest utility, of equals the cheapest."""
    return min(options, key=lambda point: (-(point[1] - price * point[0]), point[0]))


def means(stream: list[list[Point]], price: float) -> Point:
    costs, qualities = zip(*(chosen(options, price) for options in stream), strict=True)
    return sum(costs) / len(stream), sum(qualities) / len(stream)


@given(points, st.floats(0, 1_000))
def test_the_hull_has_what_is_best_at_any_price(options: list[Point], price: float) -> None:
    found = upper_hull(options)
    assert set(found) <= set(options)
    best = max(q - price * c for c, q in options)
    assert max(q - price * c for c, q in found) == pytest.approx(best, abs=1e-12)
    assert found[0][0] == min(c for c, _ in options)
    assert found[-1][1] == max(q for _, q in options)
    steps = [(q1 - q0) / (c1 - c0) for (c0, q0), (c1, q1) in pairwise(found)]
    assert all(a > b for a, b in pairwise(steps)), "concave: every further dollar buys less"
    assert all(step > 0 for step in steps)


def prices(stream: list[list[Point]]) -> list[float]:
    """Every price at which the choice for some request may change, just below and just above; and none, and too much.

    Between them nothing changes.
    """
    at = {(b[1] - a[1]) / (b[0] - a[0]) for options in stream for a in options for b in options if b[0] > a[0]}
    return [0.0, NEVER, *(price * around for price in at if price > 0 for around in (1 - 1e-7, 1 + 1e-7))]


@given(requests, st.floats(0, 0.6))
def test_the_price_for_a_spend_is_the_lowest_that_keeps_it(stream: list[list[Point]], mean_usd: float) -> None:
    price = price_for_spend([climb(upper_hull(options)) for options in stream], mean_usd)
    cheapest = means(stream, NEVER)[0]
    spent = means(stream, price)[0]
    if cheapest <= mean_usd:
        assert spent <= mean_usd + 1e-9
    lower = [p for p in prices(stream) if p < price * (1 - 1e-6)]
    assert all(means(stream, p)[0] > mean_usd - 1e-9 for p in lower), "money is not kept back without need"


@given(requests, st.floats(0, 1.0))
def test_the_price_for_a_quality_is_the_highest_that_reaches_it(stream: list[list[Point]], quality: float) -> None:
    price = price_for_quality([climb(upper_hull(options)) for options in stream], quality)
    best = means(stream, 0.0)[1]
    reached = means(stream, price)[1]
    assert reached >= min(quality, best) - 1e-9
    higher = [p for p in prices(stream) if p > price * (1 + 1e-6)]
    assert all(means(stream, p)[1] < quality + 1e-9 for p in higher if p < NEVER), "no dollar more than it takes"


def test_worked() -> None:
    hulls = [climb(((1.0, 0.5), (2.0, 0.8), (4.0, 0.9)))] * 2
    assert price_for_spend(hulls, 0.5) == pytest.approx(0.3)
    assert price_for_spend(hulls, 2.0) == pytest.approx(0.05)
    assert price_for_spend(hulls, 4.0) == 0.0
    assert price_for_quality(hulls, 0.4) == NEVER
    assert price_for_quality(hulls, 0.75) == pytest.approx(0.3)
    assert price_for_quality(hulls, 0.85) == pytest.approx(0.05)
    assert price_for_quality(hulls, 0.99) == 0.0


@st.composite
def cost_streams(draw: st.DrawFn) -> list[tuple[list[float], float, int, int]]:
    """Per request: the costs expected of the models, the real one's factor, when it is settled and how often."""
    costs = st.floats(0.0, 30.0)
    return draw(
        st.lists(
            st.tuples(
                st.lists(costs, min_size=1, max_size=4),
                st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.5, 20.0]),
                st.integers(0, 40),
                st.sampled_from([0, 1, 1, 1, 2]),
            ),
            min_size=1,
            max_size=120,
        )
    )


@given(cost_streams(), st.floats(0.1, 10), st.floats(0, 40), st.floats(40, 200))
def test_spend_is_bounded_on_every_path(
    stream: list[tuple[list[float], float, int, int]], income: float, start: float, cap: float
) -> None:
    """Greedy on everything the bucket has room for; outcomes come late, never, or twice (what a fallback adds)."""
    bucket = Bucket(income, start=start, cap=cap)
    due: list[tuple[int, str, float]] = []
    spent = beyond = 0.0
    for n, (costs, factor, late, times) in enumerate(stream):
        for when, decision, cost in [entry for entry in due if entry[0] <= n]:
            bucket.settle(decision, cost)
            due.remove((when, decision, cost))
        fits = [cost for cost in costs if cost <= bucket.room()]
        expected = max(fits, default=min(costs))
        if not fits:
            beyond += expected - max(bucket.room(), 0.0) if bucket.room() > 0 else expected
        bucket.reserve(str(n), expected)
        assert bucket.mine(str(n))
        real = expected * factor
        due += [(n + late + again, str(n), real) for again in range(times)]
        # an outcome that never comes is taken for what was expected
        spent += real * times if times else expected
        beyond += max(0.0, real * times - expected) if times else 0.0
        assert bucket.level <= cap * income + 1e-9
        known = spent - sum(cost for _, _, cost in due)
        assert known <= income * (n + 1) + start * income + beyond + 1e-6
    assert spent <= income * len(stream) + start * income + beyond + 1e-6


def test_what_is_never_settled_stays_spent_and_is_forgotten_when_there_is_too_much_of_it() -> None:
    bucket = Bucket(1.0, start=0.0, cap=100.0)
    for n in range(10_001):
        bucket.reserve(str(n), 1.0)
    assert bucket.level == pytest.approx(0.0)
    assert not bucket.mine("0")
    assert bucket.mine("1")


def test_an_expensive_call_is_worked_off_before_the_next() -> None:
    bucket = Bucket(1.0, start=10.0, cap=100.0)
    bucket.reserve("a", 5.0)
    bucket.settle("a", 25.0)
    assert bucket.room() == pytest.approx(10 + 1 - 25 + 1)
    # a fallback of the same request may still cost something
    bucket.settle("a", 2.0)
    assert bucket.room() == pytest.approx(10 + 1 - 25 - 2 + 1)


@pytest.mark.parametrize(
    "goal",
    [Goal(budget_usd=0.01), Goal(target_quality=0.8), Goal(price=3.0), Goal()],
    ids=["budget", "target", "price", "slack"],
)
def test_many_threads_decide_and_settle_at_once(goal: Goal) -> None:
    pacer = Pacer(goal, PacingSettings(cap=1e9))
    failures: list[BaseException] = []

    def work(name: int) -> None:
        chance = random.Random(name)
        try:
            for n in range(300):
                seen = {"a": (0.001, chance.random()), "b": (0.05, chance.random())}
                price = price_now(pacer, seen)
                assert price >= 0
                assert math.isfinite(price)
                pacer.decided(f"{name}/{n}", seen, 0.1, 0.001)
                pacer.settle(f"{name}/{n}", 0.001)
                pacer.rated(0.1)
        except BaseException as error:  # noqa: BLE001 - to be told by the thread that asks
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    if pacer.bucket is not None:
        # every call cost what was expected, and the rest was income: not one of 1,200 is lost
        assert pacer.bucket.level == pytest.approx(pacer.settings.start * 0.01 + 1_200 * (0.01 - 0.001))


def price_now(pacer: Pacer, seen: Points) -> float:
    """As a policy asks for it."""
    return pacer.first_price(seen) if pacer.price is None else pacer.price


def simulated(pacer: Pacer, *, judged: float, explore: float, seed: int, requests_: int = 4_000) -> tuple[float, float]:
    """Mean true quality of what was served, and of what would have been without exploring.

    Requests from easy to hard; the models' qualities are known. Greedy by the price of money, but a judged request
    draws a model evenly with probability `explore`.
    """
    chance = random.Random(seed)
    served: list[float] = []
    greedy_served: list[float] = []
    for n in range(requests_):
        hard = chance.random()
        seen = {
            "small": (0.001, 0.9 - 0.6 * hard),
            "middle": (0.004, 0.92 - 0.3 * hard * hard),
            "large": (0.03, 0.95 - 0.05 * hard),
        }
        price = price_now(pacer, seen)
        best = max(seen, key=lambda model: (seen[model][1] - price * seen[model][0], -seen[model][0]))
        share = explore if chance.random() < judged else 0.0
        shares = {model: share / 3 + (1 - share) * (model == best) for model in seen}
        drawn = chance.choices(list(shares), list(shares.values()))[0]
        expected = sum(shares[model] * seen[model][1] for model in seen)
        pacer.decided(str(n), seen, seen[best][1] - expected, seen[drawn][0])
        if n >= requests_ // 4:
            served.append(seen[drawn][1])
            greedy_served.append(seen[best][1])
    return sum(served) / len(served), sum(greedy_served) / len(greedy_served)


@pytest.mark.parametrize("target", [0.8, 0.85, 0.9])
@pytest.mark.parametrize(("judged", "explore"), [(0.0, 0.0), (0.1, 0.2), (0.1, 1.0), (0.3, 0.6)])
def test_a_target_is_reached_though_judged_requests_explore(target: float, judged: float, explore: float) -> None:
    """What exploration gives away is made up for by the choice on all requests."""
    runs = [simulated(Pacer(Goal(target_quality=target)), judged=judged, explore=explore, seed=s) for s in range(3)]
    served, greedy = (sum(column) / len(runs) for column in zip(*runs, strict=True))
    tell(f"target {target}, {judged:.0%} judged, {explore:.0%} of them explore: {served:.4f} (greedy {greedy:.4f})")
    assert abs(target - served) <= 0.1 * abs(greedy - served) + 0.002


def test_expectations_that_flatter_themselves_are_corrected() -> None:
    pacer = Pacer(Goal(target_quality=0.8))
    plain = Pacer(Goal(target_quality=0.8))
    for _ in range(300):
        pacer.rated(-0.1)
    corrected, uncorrected = (simulated(p, judged=0.0, explore=0.0, seed=1)[0] for p in (pacer, plain))
    assert corrected == pytest.approx(uncorrected + 0.1, abs=0.02)


def test_without_a_goal_the_best_model_is_nearly_reached_at_less_cost() -> None:
    served, _ = simulated(Pacer(Goal(slack=0.02)), judged=0.0, explore=0.0, seed=1)
    assert served == pytest.approx(0.925 - 0.02, abs=0.01)


def test_after_a_restart_only_the_requests_since_then_count() -> None:
    """The only good model fell; what it gave is not aimed at any more."""
    before = {"cheap": (0.001, 0.8), "good": (0.01, 0.95)}
    after = {"cheap": (0.001, 0.8), "good": (0.01, 0.5)}
    pacer, lagging = Pacer(Goal(slack=0.02)), Pacer(Goal(slack=0.02))
    for n in range(400):
        for one in (pacer, lagging):
            one.decided(str(n), before, 0.0, 0.01)
    pacer.restart()
    for n in range(400, 410):
        for one in (pacer, lagging):
            one.decided(str(n), after, 0.0, 0.001)
    assert price_now(pacer, after) > 1_000
    assert price_now(lagging, after) < 20


def test_a_given_price_is_the_price() -> None:
    pacer = Pacer(Goal(price=7.0))
    pacer.decided("a", {"a": (1.0, 1.0)}, 0.0, 1.0)
    assert pacer.price == 7.0
    assert pacer.room() is None


def test_a_budget_is_met() -> None:
    """Half the requests are worth the large model; the budget pays for a third."""
    chance = random.Random(2)
    budget = 0.01
    pacer = Pacer(Goal(budget_usd=budget))
    spent = 0.0
    for n in range(3_000):
        worth = 0.05 if chance.random() < 0.5 else 0.4
        seen = {"small": (0.001, 0.5), "large": (0.03, 0.5 + worth * chance.random())}
        price, room = price_now(pacer, seen), pacer.room()
        assert room is not None
        allowed = [m for m in seen if seen[m][0] <= max(room, 0.001)]
        best = max(allowed, key=lambda model: seen[model][1] - price * seen[model][0])
        pacer.decided(str(n), seen, 0.0, seen[best][0])
        pacer.settle(str(n), seen[best][0])
        spent += seen[best][0]
    assert spent <= budget * 3_000 + pacer.settings.start * budget
    assert spent >= 0.97 * budget * 3_000


def test_a_dear_call_leaves_room_for_ordinary_ones() -> None:
    """What a request's own income pays for is always allowed: it adds to no debt; a reserve is kept from the rest."""
    pacer = Pacer(Goal(budget_usd=1.0), PacingSettings(start=8.0, reserve=5.0))
    assert pacer.room() == pytest.approx(8.0 + 1.0 - 5.0)
    pacer.decided("dear", {"a": (4.0, 0.9)}, 0.0, 4.0)
    assert pacer.room() == pytest.approx(5.0 + 1.0 - 5.0)
    pacer.decided("two", {"a": (3.0, 0.9)}, 0.0, 3.0)
    assert pacer.room() == pytest.approx(1.0)
    pacer.decided("three", {"a": (5.0, 0.9)}, 0.0, 5.0)
    assert pacer.room() == pytest.approx(1.0)
    assert pacer.bucket is not None
    assert pacer.bucket.level < 0


def test_what_lies_unspent_in_the_bucket_is_for_trials() -> None:
    pacer = Pacer(Goal(budget_usd=1.0))
    own = pacer.settings
    assert pacer.spare() == pytest.approx(own.trials)
    for n in range(200):
        pacer.decided(str(n), {"a": (0.1, 0.9)}, 0.0, 0.1)
    assert pacer.spare() == pytest.approx(own.trials + (own.cap - 0.1 - own.aim) / own.horizon)
    assert Pacer(Goal(target_quality=0.8)).spare() is None
