"""From events to what they teach: which keys, which buckets, and what counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from support.happenings import REVIEW, at, decision, feedback, outcome, standing
from tiercel.core.statistics.buckets import DAY_S, FINEST_US, FOREVER_S, HOUR_S, Bucket, climb, finest
from tiercel.core.statistics.fold import OVERALL, Deltas, fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.events import CLIENT_LEFT, Rating
from tiercel.domain.request import agent_segment
from tiercel.testing import EPOCH

START_S = round(EPOCH.timestamp())


def test_an_outcome_counts_for_everything_its_model_and_its_segments_model() -> None:
    deltas = fold([outcome(1, seconds=301)])
    assert {key for key, _ in deltas.sums} == {OVERALL, ("model", "small"), (*REVIEW, "model", "small")}
    assert {bucket for _, bucket in deltas.sums} == {Bucket(300, START_S + 300)}
    assert {sums.requests for sums in deltas.sums.values()} == {1}


def test_an_outcome_counts_for_its_agent_too_but_once() -> None:
    agent = agent_segment("a")
    deltas = fold([outcome(1, agent_id="a"), outcome(2, agent_id="a", segment=agent)])
    requests = {key: sums.requests for (key, _), sums in deltas.sums.items()}
    assert requests == {
        OVERALL: 2,
        ("model", "small"): 2,
        (*REVIEW, "model", "small"): 1,
        agent: 2,
        (*agent, "model", "small"): 2,
    }


def test_a_rating_counts_for_its_tier_and_where_it_is_known_its_model() -> None:
    known, unknown = fold([feedback("f1")]), fold([feedback("f1", model="")])
    tier, model = (*REVIEW, "tier", "cheap"), (*REVIEW, "model", "small")
    assert {key for key, _ in known.sums} == {OVERALL, tier, model, ("model", "small")}
    assert {key for key, _ in unknown.sums} == {OVERALL, tier}
    assert set(known.ratings) == {tier, model, ("model", "small")}


def test_a_revision_counts_in_its_own_time_and_takes_back_in_the_other() -> None:
    revision = replace(feedback("f2", 0.9, seconds=900), replaces=Rating(0.2, at(0), "premium", "large"))
    sums = {
        (key, bucket.start_s - START_S): (sums.ratings, sums.quality_nano)
        for (key, bucket), sums in fold([revision]).sums.items()
    }
    assert sums[(*REVIEW, "tier", "cheap"), 900] == (1, 900_000_000)
    assert sums[(*REVIEW, "tier", "premium"), 0] == (-1, -200_000_000)
    assert sums[("model", "large"), 0] == (-1, -200_000_000)
    assert sums[OVERALL, 0] == (-1, -200_000_000)
    assert sums[OVERALL, 900] == (1, 900_000_000)


def test_a_call_its_client_left_costs_and_says_nothing_of_the_model() -> None:
    deltas = fold([replace(outcome(1), success=False, error=CLIENT_LEFT)])
    (sums,) = (sums for (key, _), sums in deltas.sums.items() if key == OVERALL)
    assert (sums.requests, sums.costed, sums.prompt_tokens) == (0, 1, 150)
    assert deltas.outcomes == {}


def test_a_decision_alone_teaches_nothing() -> None:
    assert fold([decision(1)]) == Deltas()


def test_the_change_of_the_highest_revision_holds() -> None:
    deltas = fold([standing(2, current="large"), standing(1, current="middle")])
    assert [change.current for change in deltas.standings.values()] == ["large"]


@pytest.mark.parametrize(
    "time",
    [
        datetime(1970, 1, 1, tzinfo=EPOCH.tzinfo),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=EPOCH.tzinfo),
        datetime(2038, 1, 19, 3, 14, 8, 1, tzinfo=EPOCH.tzinfo),
        datetime(2262, 4, 11, 23, 47, 16, 854_775, tzinfo=timezone(timedelta(hours=-7))),
    ],
)
def test_times_are_exact_to_the_microsecond(time: datetime) -> None:
    assert EPOCH + timedelta(microseconds=micros(time) - micros(EPOCH)) == time


@pytest.mark.parametrize(
    ("age_s", "width_s"),
    [
        (0, 300),
        (300 + 3 * HOUR_S - 1, 300),
        (300 + 3 * HOUR_S, HOUR_S),
        (HOUR_S + 8 * DAY_S - 1, HOUR_S),
        (HOUR_S + 8 * DAY_S, DAY_S),
        (DAY_S + 31 * DAY_S - 1, DAY_S),
        (DAY_S + 31 * DAY_S, FOREVER_S),
        (-7 * DAY_S, 300),
    ],
)
def test_buckets_grow_with_age(age_s: int, width_s: int) -> None:
    bucket = finest(START_S * 1_000_000 // FINEST_US)
    assert climb(bucket, START_S + age_s).width_s == width_s


def test_a_window_counts_whole_buckets_and_no_more() -> None:
    knowledge = Knowledge()
    knowledge.add(fold([outcome(n, seconds=n * 100) for n in range(90)]))
    now_s = START_S + 9_000
    assert knowledge.sums(OVERALL).requests == 90
    assert knowledge.sums(OVERALL, since_s=now_s - 600).requests == 6
    assert knowledge.sums(OVERALL, since_s=now_s - 700).requests == 9
    knowledge.compact(now_s + 20 * DAY_S)
    assert knowledge.sums(OVERALL, since_s=START_S - 1).requests == 90
    assert len(knowledge.buckets(OVERALL)) == 1
    knowledge.compact(now_s + 60 * DAY_S)
    assert (knowledge.sums(OVERALL).requests, knowledge.sums(OVERALL, since_s=START_S - 1).requests) == (90, 0)
    assert knowledge.sums(("model", "nobody")).requests == 0


def test_what_is_replaced_is_forgotten() -> None:
    knowledge = Knowledge()
    knowledge.add(fold([outcome(1), feedback("f1"), standing(1)]))
    before = knowledge.version
    knowledge.replace(fold([feedback("f2")]))
    assert knowledge.export() == fold([feedback("f2")])
    assert knowledge.standing("tier-rules", REVIEW) is None
    assert knowledge.version > before
    assert len(knowledge.outcomes(("model", "small"))) == 0
    assert set(knowledge.keys(REVIEW)) == {(*REVIEW, "tier", "cheap"), (*REVIEW, "model", "small")}
