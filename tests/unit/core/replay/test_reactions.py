from __future__ import annotations

from statistics import fmean

import pytest

from support.outcomes import Scripted, always, noisy
from tiercel.core.replay.books import Terms
from tiercel.core.replay.driver import replay
from tiercel.core.replay.reactions import reactions, summary_of
from tiercel.core.replay.world import SCENARIOS

TABLE = noisy(600, [1.0, 1.0], [0.1, 0.2], tasks=2)
DEGRADE, RECOVER = Terms(scenario=SCENARIOS["degrade"]), Terms(scenario=SCENARIOS["recover"])


@pytest.mark.parametrize("after", [0, 1, 23, 24, 60, 300])
def test_the_moment_is_when_the_policy_stops_believing(after: int) -> None:
    (reaction,) = reactions(replay(TABLE, Scripted(lambda n: "m0" if n < 200 + after else "m1"), DEGRADE))
    assert (reaction.model, reaction.at, reaction.requests, reaction.ratings) == (0, 200, after, after)
    assert reaction.share_before == 1.0


def test_only_ratings_given_since_the_change_count() -> None:
    terms = Terms(scenario=SCENARIOS["degrade"], delay=10, feedback_rate=0.5)
    trace = replay(TABLE, Scripted(lambda n: "m0" if n < 260 else "m1"), terms)
    (reaction,) = reactions(trace)
    assert reaction.requests == 60
    # those of the first 50 answers after the change, as far as they were to be rated: the others come too late
    assert reaction.ratings == sum(step.rated for step in trace.steps[200:250])


def test_who_never_acts_has_no_delay() -> None:
    (reaction,) = reactions(replay(TABLE, always("m0"), DEGRADE))
    assert (reaction.expected, reaction.requests, reaction.ratings) == (True, None, None)


def test_a_short_absence_is_no_reaction() -> None:
    policy = Scripted(lambda n: "m1" if 250 <= n < 270 else "m0")
    assert reactions(replay(TABLE, policy, DEGRADE))[0].requests is None


def test_exploration_is_no_reaction() -> None:
    assert reactions(replay(TABLE, always("m0", share=0.9), DEGRADE))[0].requests is None


def test_part_of_the_traffic_is_enough_where_it_was_part_before() -> None:
    # two of three requests before, none from 240 on
    policy = Scripted(lambda n: "m0" if n % 3 and n < 240 else "m1")
    (reaction,) = reactions(replay(TABLE, policy, DEGRADE))
    assert reaction.requests == pytest.approx(40, abs=2)
    assert reaction.share_before == pytest.approx(2 / 3, abs=0.01)


def test_a_recovery_is_dated_likewise() -> None:
    policy = Scripted(lambda n: "m1" if 220 <= n < 450 else "m0")
    worse, mended = reactions(replay(TABLE, policy, RECOVER))
    assert (worse.at, worse.requests) == (200, 20)
    # nobody tried it between: no rating of it was needed, as its policy believed in it again of itself
    assert (mended.at, mended.requests, mended.ratings) == (400, 50, 0)


def test_of_a_newcomer_the_share_of_its_best_segment_counts() -> None:
    table = noisy(1200, [0.5, 1.0], [0.1, 0.11], tasks=2)
    terms = Terms(scenario=SCENARIOS["arrive"])
    order = [step.query.task for step in replay(table, always("m0"), terms).steps]

    def late_and_in_part(number: int) -> str:
        return "m1" if number >= 800 and order[number] == "t1" else "m0"

    arrived = reactions(replay(table, Scripted(late_and_in_part), terms))[-1]
    assert (arrived.at, arrived.expected, arrived.newcomer_share) == (600, False, 1.0)
    blind = Terms(scenario=SCENARIOS["arrive"], segmented=False)
    share = reactions(replay(table, Scripted(late_and_in_part), blind))[-1].newcomer_share
    assert share == pytest.approx(0.5, abs=0.25)


def until(moment: int) -> Scripted:
    return Scripted(lambda number: "m0" if number < moment else "m1")


def test_over_repeats_a_median_that_most_must_have() -> None:
    repeats = [reactions(replay(TABLE, until(200 + delay), DEGRADE)) for delay in (10, 20, 400)]
    summary = summary_of(TABLE.models, repeats)
    assert summary is not None
    assert (summary.detection_delay, summary.recovery_delay, summary.newcomer_share) == (20, None, None)
    (change,) = summary.changes
    assert (change.at, change.models) == (200, {"m0": 1.0})
    assert change.acted == pytest.approx(2 / 3)
    assert change.share_after == pytest.approx(fmean([10 / 400, 20 / 400, 1.0]))
    mostly_never = summary_of(TABLE.models, [repeats[0], repeats[2], repeats[2]])
    assert mostly_never is not None
    assert mostly_never.detection_delay is None


def test_without_a_scenario_there_is_nothing_to_tell() -> None:
    assert summary_of(TABLE.models, [reactions(replay(TABLE, always("m0")))]) is None


def test_a_price_asks_for_no_reaction() -> None:
    (reaction,) = reactions(replay(TABLE, always("m0"), Terms(scenario=SCENARIOS["price"])))
    assert (reaction.expected, reaction.requests, reaction.share_after) == (False, None, 1.0)
