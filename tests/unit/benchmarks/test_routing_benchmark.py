"""The routing benchmark's own arithmetic: what the page says is what was measured."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from benchmarks.routing import gains, opponents, ranking, scenarios
from benchmarks.routing.data import MADE_UP, Source, table
from benchmarks.routing.measures import Spec, measure
from benchmarks.routing.pictures import draw_all
from benchmarks.routing.plan import Plan, band, summary
from benchmarks.routing.report import page
from benchmarks.routing.tables import count, interval, markdown, paragraph

from tiercel.core.replay.books import Judging, Terms
from tiercel.core.replay.table import Query, Recorded
from tiercel.domain.errors import InvalidInput, TiercelError

MODELS = ("small:0.80:0.0001", "middle:0.95:0.001")


def _query(number: int, weak: float, strong: float) -> Query:
    return Query(str(number), "", "", (Recorded(weak), Recorded(strong)))


def test_a_perfect_ranking_recovers_the_gap_first_and_a_reversed_one_last() -> None:
    asked = [_query(0, 0, 1), _query(1, 1, 1), _query(2, 0, 1), _query(3, 0, 0)]
    best = ranking.recovered_at([1.0, 0.0, 1.0, 0.0], asked)
    assert best == [0.0, 0.5, 1.0, 1.0, 1.0]
    figures = ranking.curve_figures(best)
    assert (figures["apgr"], figures["cpt50"], figures["cpt80"]) == (0.75, 25.0, 50.0)
    worst = ranking.curve_figures(ranking.recovered_at([0.0, 1.0, 0.0, 1.0], asked))
    assert (worst["apgr"], worst["cpt50"], worst["cpt80"]) == (0.25, 75.0, 100.0)


def test_a_ranking_that_expects_the_same_of_all_is_worth_a_coin() -> None:
    asked = [_query(i, 0, 1) for i in range(100)]
    figures = ranking.curve_figures(ranking.recovered_at([0.0] * 100, asked))
    assert figures["apgr"] == pytest.approx(0.5)
    assert (figures["cpt50"], figures["cpt80"]) == (50.0, 80.0)


def test_hindsight_takes_the_best_price_that_met_the_budget() -> None:
    runs = {
        0.0: [{"quality": 0.9, "cost_usd": 3.0}],
        1.0: [{"quality": 0.8, "cost_usd": 1.0}],
        2.0: [{"quality": 0.7, "cost_usd": 0.5}],
    }
    best = opponents.best_within(runs, 1.0, most_spend=1.01)
    assert best is not None
    assert best[0] == 1.0
    assert opponents.best_within(runs, 0.4, most_spend=1.01) is None


def test_an_opponent_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opponents, "find_spec", lambda _: None)
    outcomes = table(Source(MADE_UP, models=MODELS, queries=9), None)
    assert "not installed" in opponents.missing(opponents.SQUARECB)
    with pytest.raises(TiercelError, match="pip install"):
        opponents.opponent(opponents.SQUARECB, outcomes, (), budget_usd=None, price=0.0)


def test_a_file_needs_its_folder_named() -> None:
    with pytest.raises(InvalidInput, match="--data"):
        table(Source("paretobandit"), None)


def test_made_up_tables_have_the_qualities_and_costs_they_were_asked_for() -> None:
    for graded in (True, False):
        figures = table(Source(MADE_UP, models=MODELS, queries=3_000, graded=graded), None).figures()
        assert [model.quality for model in figures] == pytest.approx([0.80, 0.95], abs=0.02)
        assert [model.cost_usd for model in figures] == pytest.approx([1e-4, 1e-3], rel=0.05)


def test_budgets_lie_evenly_between_the_models() -> None:
    outcomes = table(Source(MADE_UP, models=MODELS, queries=300), None)
    low, high = (model.cost_usd or 0.0 for model in outcomes.figures())
    at = [low, *gains.budgets(outcomes), high]
    ratios = [math.log(b / a) for a, b in itertools.pairwise(at)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))


def test_counts_tell_of_repeats_in_which_nothing_happened() -> None:
    assert scenarios.quantiles([3, 1, 2]) == {"median": 2, "worst": 3, "share": 1.0}
    missed = scenarios.quantiles([5, None, 7])
    assert missed == {"median": 7, "worst": None, "share": pytest.approx(2 / 3)}
    assert count(missed) == "7 in 67%"
    assert count(scenarios.quantiles([None, None])) == "never"


def test_a_band_and_a_summary_are_of_the_repeats() -> None:
    assert band([[1.0, 2.0], [3.0, 2.0]])["mean"] == [2.0, 2.0]
    assert band([[1.0], [1.0]])["low"] == [1.0]
    assert summary([{"x": 1.0}, {"x": 3.0}], "x")["mean"] == 2.0
    assert summary([{"x": None}], "x") == {"mean": None, "ci": None}
    assert interval({"mean": 0.5, "ci": [0.4, 0.6]}, digits=2) == "0.50 ± 0.10"


def test_tables_and_paragraphs_are_markdown() -> None:
    assert markdown(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert paragraph("  one\n   two ") == "one two"


def test_nothing_is_rated_in_a_drought_and_a_strict_judge_gives_less() -> None:
    source = Source(MADE_UP, models=MODELS, queries=60)

    def labels(*judgings: Judging) -> int:
        spec = Spec(row=(), source=source, policy="fixed", repeats=1, terms=Terms(judgings=judgings))
        return int(measure(spec, 0, None)["labels"])

    assert labels() == 60
    assert labels(Judging(begin=1 / 3, end=2 / 3, rate=0.0)) == 40
    assert Terms(judgings=(Judging(begin=0.5, factor=0.8),)).judging_at(0.5).factor == 0.8


def test_a_page_of_one_scenario_has_its_row_and_its_picture(tmp_path: Path) -> None:
    plan = Plan(None, quick=True)
    scene = scenarios.SCENES[0]
    source = Source(MADE_UP, models=scene.models, queries=300)
    spec = Spec(
        row=("scene", scene.name),
        source=source,
        policy="segment",
        repeats=2,
        terms=Terms(scenario=scene.scenario),
        keep="shares",
    )
    measured = [measure(spec, repeat, None) for repeat in range(2)]
    assert measured == [{**measure(spec, i, None), "seconds": one["seconds"]} for i, one in enumerate(measured)]
    figures = scenarios.figures(plan, {spec: measured})
    provenance = {"measured_at": "now", "commit": "this", "seconds": 1, "quick": True}
    written = page({"scenarios": {**provenance, **figures}})
    assert scene.what in written
    for folder in (tmp_path / "a", tmp_path / "b"):
        draw_all({"scenarios": figures}, folder)
    picture = (tmp_path / "a" / "scenarios.svg").read_bytes()
    assert picture == (tmp_path / "b" / "scenarios.svg").read_bytes()
    assert b"<svg" in picture
