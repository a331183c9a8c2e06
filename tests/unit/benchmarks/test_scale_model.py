"""The model of scale: what its functions say where the answer is known without them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.scale import model
from benchmarks.scale.masters import Spent
from benchmarks.scale.model import Constants, Line, Poll, Size, Way
from benchmarks.scale.paper import Check, Need, checks
from benchmarks.scale.quiet import FEW, MANY, TOGETHER, line
from hypothesis import given
from hypothesis import strategies as st

FREE = Line(0.0, 0.0, 0.0)
NOTHING = Way(FREE, FREE, FREE, FREE)
KNOWN = Constants(
    decision=1_000.0,
    candidate=100.0,
    outcome=500.0,
    rating=400.0,
    state_key=50_000.0,
    state_bucket=3_000.0,
    commit=Way(Line(10.0, 2.0, 1.0), FREE, Line(1e-4, 1e-5, 0.0), Line(1e-3, 1e-4, 0.0)),
    read=Way(FREE, Line(0.0, 2_000.0, 100.0), FREE, Line(0.0, 1e-4, 1e-6)),
    poll=Poll(2_000.0, 1_000.0, 1e-5, 1e-4, 1e-3),
    commit_took_s=2e-3,
    state_read_s=1e-8,
    state_write_cpu_s=1e-9,
)
SIZE = Size(segments=100, models=10, gateways=4, calls_per_s=40.0)
sizes = st.builds(
    Size,
    segments=st.integers(1, 2_000),
    models=st.integers(1, 60),
    gateways=st.integers(1, 200),
    calls_per_s=st.floats(0.1, 200_000.0),
    partitions=st.integers(1, 256),
)


def test_memory_is_a_sum_of_products() -> None:
    assert model.call_bytes(KNOWN, 10) == 2_900
    assert model.log_bytes(KNOWN, SIZE, 3_600) == 2_900 * 40 * 3_600
    # ten models, three tiers and itself of each segment; the models and all
    assert model.state_bytes(KNOWN, SIZE, 2) == (100 * 14 + 11) * 56_000


@pytest.mark.parametrize(
    ("partitions", "segments", "calls", "expected"),
    [(1, 10, 5.0, 1.0), (1, 10, 0.25, 0.25), (16, 1_000, 1.0, 1.0), (16, 10_000, 1e6, 16.0), (16, 1, 9.0, 1.0)],
)
def test_calls_touch_at_most_the_partitions_there_are(
    partitions: int, segments: int, calls: float, expected: float
) -> None:
    assert model.touched(partitions, segments, calls) == pytest.approx(expected)


def test_who_has_many_calls_commits_as_often_as_waiting_allows_and_who_has_few_with_each() -> None:
    busy, calm = replace(SIZE, calls_per_s=1e9), replace(SIZE, calls_per_s=0.04)
    assert model.commits_per_s(KNOWN, busy) == pytest.approx(1 / 0.053)
    assert model.commits_per_s(KNOWN, calm) == pytest.approx(0.01, rel=0.01)
    assert model.looks_per_s(KNOWN, calm) == pytest.approx(2.51, rel=0.01)


def test_what_is_sent_is_every_call_to_every_gateway_and_the_polls() -> None:
    polls = replace(KNOWN, poll=Poll(0.0, 0.0, 0.0, 0.0, 1e-3))
    assert model.flow(polls, SIZE, "sent") == pytest.approx(4 * 40 * 3_000)
    resting = replace(KNOWN, read=NOTHING, commit=NOTHING)
    calm = replace(SIZE, calls_per_s=1e-6)
    assert model.flow(resting, calm, "sent") == pytest.approx(4 * 2.5 * 1_000, rel=1e-3)


@given(sizes, st.floats(0.01, 0.98))
def test_staleness_grows_with_the_chance_asked_for_and_is_no_less_than_the_wait_for_company(
    size: Size, chance: float
) -> None:
    less, more = model.staleness_s(KNOWN, size, chance), model.staleness_s(KNOWN, size, chance + 0.01)
    assert model.LINGER_S < less <= more


def test_with_nobody_committing_the_wait_for_a_look_is_even() -> None:
    alone = replace(KNOWN, commit_took_s=0.0, poll=Poll(0.0, 0.0, 0.0, 0.0, 0.0), read=NOTHING, commit=NOTHING)
    calm = replace(SIZE, calls_per_s=1e-6)
    assert model.staleness_s(alone, calm, 0.5) == pytest.approx(0.05 + 0.2, rel=1e-3)
    assert model.staleness_s(alone, calm, 1.0) == pytest.approx(0.05 + 0.4, rel=1e-3)


@given(sizes)
def test_more_traffic_takes_more_of_everything(size: Size) -> None:
    twice = replace(size, calls_per_s=2 * size.calls_per_s)
    for what in ("received", "sent", "server_cpu_s"):
        assert model.flow(KNOWN, twice, what) > model.flow(KNOWN, size, what)
    assert model.gateway_share(KNOWN, twice) > model.gateway_share(KNOWN, size)
    assert model.folding_cores(KNOWN, twice) == pytest.approx(2 * model.folding_cores(KNOWN, size))


def test_a_fold_touches_no_more_keys_than_there_are() -> None:
    one = replace(SIZE, partitions=1)
    often = replace(KNOWN, learn_every=10**9)
    assert model.fold_bytes(often, one) == pytest.approx(model.state_bytes(KNOWN, one, 1))
    assert model.fold_bytes(replace(KNOWN, learn_every=30), SIZE) < model.fold_bytes(often, SIZE)
    assert model.folds_per_s(KNOWN, SIZE) == pytest.approx(0.012)
    assert model.folding_bytes_per_s(KNOWN, SIZE) == pytest.approx(0.012 * model.fold_bytes(KNOWN, SIZE))


def test_a_load_is_the_state_and_half_of_what_partitions_fold_at_once() -> None:
    assert model.tail_calls(KNOWN, SIZE) == pytest.approx(16 * 5_000 / 3)
    assert model.load_bytes(KNOWN, SIZE, 1) == pytest.approx(model.state_bytes(KNOWN, SIZE, 1) + 16 * 5_000 / 3 * 3_000)
    read = 16 * 5_000 / 3 * 1.1e-4
    assert model.load_s(KNOWN, SIZE, 1) == pytest.approx(model.state_bytes(KNOWN, SIZE, 1) * 1e-8 + read)


def test_half_a_core_follows_half_as_many() -> None:
    assert model.calls_followed_per_s(KNOWN, 100, 1.0) == pytest.approx(5_000)
    assert model.calls_followed_per_s(KNOWN, 100, 0.5) == pytest.approx(2_500)


@given(
    st.builds(Line, st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e3)),
    st.tuples(st.sampled_from([1.0, 3.0]), st.sampled_from([10.0, 16.0])),
)
def test_the_line_through_three_samples_is_that_which_they_lie_on(true: Line, places: tuple[float, float]) -> None:
    few, many = places
    samples = true.at(few, 1, FEW), true.at(many, TOGETHER, FEW), true.at(many, TOGETHER, MANY)
    found = line(*samples, places)
    for got, expected in ((found.partition, true.partition), (found.call, true.call)):
        assert got == pytest.approx(expected, rel=1e-6, abs=1e-2)
    assert found.candidate == pytest.approx(true.candidate, rel=1e-6, abs=1e-4)


def test_a_size_needs_as_many_masters_as_its_scarcest_asks_for() -> None:
    small = Need(SIZE, 1, log=1e9, state=1e9, sent=1e6, received=1e6, server_cpu=0.1, share=0.1)
    assert small.masters == 1
    assert small._replace(log=100e9).masters == 3
    assert small._replace(server_cpu=2.1).masters == 5
    assert small._replace(sent=1.3e9).masters == 3


def test_a_check_holds_within_its_factor_either_way() -> None:
    assert Check("x", 2.0, 1.0, 2.0).holds
    assert Check("x", 1.0, 2.0, 2.0).holds
    assert not Check("x", 1.0, 2.1, 2.0).holds


def test_a_run_that_is_what_the_model_says_passes() -> None:
    run = {
        "calls_per_s": 40.0,
        "held_per_call": model.call_bytes(KNOWN, 10),
        "idle_received": 4 * 2.5 * 2_000,
        "idle_sent": 4 * 2.5 * 1_000,
        **{name: model.flow(KNOWN, SIZE, name) for name in ("received", "sent", "server_cpu_s")},
        "gateway_share": model.gateway_share(KNOWN, SIZE),
        "looks_per_s": model.looks_per_s(KNOWN, SIZE),
        "staleness_p50_s": model.staleness_s(KNOWN, SIZE, 0.5),
        "staleness_p99_s": model.staleness_s(KNOWN, SIZE, 0.99),
    }
    state = {"segments": 100, "models": 10, "held": model.state_bytes(KNOWN, SIZE, 1)}
    assert [one.ratio for one in checks(KNOWN, SIZE, run, state)] == pytest.approx([1.0] * 11)
    assert not all(one.holds for one in checks(KNOWN, SIZE, run | {"sent": 1.0}, state))


def test_what_was_spent_is_what_is_now_without_what_was() -> None:
    assert Spent(10.0, 20.0, 30.0, 4.0).since(Spent(0.0, 10.0, 10.0, 2.0), 2.0) == (5.0, 5.0, 10.0, 1.0)
