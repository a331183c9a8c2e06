"""What the demo says of a run: true to the table, readable on 80 columns, honest where a fixed choice wins."""

import io
import json

import pytest
from rich.console import Console

from tiercel.apps.demo.client import Reply
from tiercel.apps.demo.display import announce, dollars, watching
from tiercel.apps.demo.folder import DemoSettings
from tiercel.apps.demo.learned import Learned, Move, Standing
from tiercel.apps.demo.replay import Plan, Progress
from tiercel.apps.demo.result import Result, result_of
from tiercel.apps.demo.summary import summarise
from tiercel.apps.demo.table import MODELS, prompts
from tiercel.core.hull import Hull, Point

CHEAP, CAPABLE, PREMIUM = (model.model_id for model in MODELS)
EASY = ("gsm8k", "arc_challenge")


def served(pick: dict[str, str], otherwise: str, count: int = 1824) -> Progress:
    """A run in which a stage in `pick` is answered by that model, and the others by `otherwise`."""
    plan = Plan.of(prompts(), count=count, seed=0, feedback_share=0.5, delay=4)
    replies = [Reply(pick.get(prompt.stage, otherwise), "dec", "chatcmpl", 1, 1) for prompt in plan.prompts]
    return Progress(plan, replies, [(64 + index % 16, 0.3) for index in sorted(plan.rated)])


def result(progress: Progress, *, by_tier: bool = True, budget_usd: float | None = None) -> Result:
    stages = {prompt.stage for prompt in progress.plan.prompts} if by_tier else set()
    move = Move("2026-01-01T00:00:00+00:00", "mmlu", "cheap", "capable", 17, "Low quality (0.76)")
    standings = {
        stage: Standing("cheap" if stage in EASY else "capable", "Acceptable quality (0.94)") for stage in stages
    }
    moves = [move] if by_tier else []
    return result_of(progress, Learned(standings, moves, 0.5), took_s=12.0, budget_usd=budget_usd)


def printed(found: Result, *, width: int = 80) -> str:
    stream = io.StringIO()
    summarise(Console(file=stream, width=width), found)
    return stream.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_run_by_one_model_equals_that_fixed_choice() -> None:
    found = result(served({}, CAPABLE))
    assert found.tiercel == found.others["always capable"]
    assert found.shares == {CHEAP: 0, CAPABLE: 1, PREMIUM: 0}
    assert "always capable 0.923 $0.53 $0.96 3.8 s +0% cost, +0.0 points" in flat(printed(found))


def test_what_was_saved_is_the_difference_to_always_best() -> None:
    found = result(served(dict.fromkeys(EASY, CHEAP), CAPABLE))
    document = found.json()
    best, ours = document["always_best"], document["tiercel"]
    assert document["saved_against_always_best"]["cost_share"] == pytest.approx(1 - ours["cost_usd"] / best["cost_usd"])
    assert document["saved_against_always_best"]["quality_points"] == pytest.approx(
        100 * (best["quality"] - ours["quality"])
    )
    assert best["total_cost_usd"] == pytest.approx(27.64, abs=0.01)
    assert "Saved against always-best: 97.5% of the cost, for 2.7 points of quality." in printed(found)


def test_a_router_that_loses_is_said_to_lose() -> None:
    # the dearest model for what the cheapest can do, and the cheapest for the rest
    found = result(served(dict.fromkeys(EASY, PREMIUM), CHEAP))
    assert found.tiercel.quality < found.others["best mix"].quality
    assert found.gain < 0
    assert "points worse, in the last half" in flat(printed(found))
    assert "x cost, -" in flat(printed(found)).partition("always capable")[2].partition("points")[0]


def test_where_nothing_was_saved_that_is_said() -> None:
    assert "Saved against always-best: nothing" in printed(result(served({}, PREMIUM)))


def test_the_json_is_json_and_equal_runs_give_equal_results() -> None:
    documents = [result(served(dict.fromkeys(EASY, CHEAP), CAPABLE)).json() for _ in range(2)]
    assert json.dumps(documents[0]) == json.dumps(documents[1])
    other = result(served(dict.fromkeys(EASY, CHEAP), PREMIUM)).json()
    assert other["routing_sha256"] != documents[0]["routing_sha256"]
    assert documents[0]["tier_changes"] == [
        {"stage": "mmlu", "previous": "cheap", "current": "capable", "ratings": 17, "reason": "Low quality (0.76)"}
    ]


def test_what_was_spent_is_held_against_the_budget() -> None:
    found = result(served(dict.fromkeys(EASY, CHEAP), CAPABLE), by_tier=False, budget_usd=0.0005)
    spent = found.json()["budget"]["spend_over_budget"]
    assert spent == pytest.approx(found.tiercel.cost_usd / 0.0005)
    assert f"Budget: $0.50 per 1,000 requests; spent $0.38, {spent:.1%} of it." in printed(found)
    assert result(served({}, CAPABLE)).json()["budget"] is None


def test_the_gain_is_what_the_hull_does_not_reach() -> None:
    found = result(served(dict.fromkeys(EASY, CHEAP), CAPABLE))
    hull = Hull.of(Point(usd, quality) for usd, quality in found.hull.vertices)
    assert found.gain == pytest.approx(found.tiercel.quality - hull.quality_at(found.tiercel.cost_usd))
    assert found.gain > 0.01
    # one model alone lies on it
    assert result(served({}, CAPABLE)).gain == pytest.approx(0)
    half = found.last_half
    assert half is not None
    assert half.gain == pytest.approx(found.gain, abs=0.02)


def test_without_stages_that_move_each_shows_who_has_it() -> None:
    found = result(served(dict.fromkeys(EASY, CHEAP), CAPABLE), by_tier=False)
    stage = next(stage for stage in found.stages if stage.name == "gsm8k")
    assert (stage.tier, stage.shares) == (None, {"cheap": 1, "capable": 0, "premium": 0})
    assert stage.quality == stage.alone["cheap"]
    assert f"gsm8k {stage.requests} {stage.quality:.3f} {stage.quality:.3f} 100%" in flat(printed(found))


@pytest.mark.parametrize("by_tier", [True, False])
@pytest.mark.parametrize("policy", ["contextual", "tier-rules", "random"])
def test_everything_printed_fits_80_columns(*, by_tier: bool, policy: str) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=1000)
    announce(console, DemoSettings(policy=policy))
    with watching(console) as tell:
        tell(served({}, CAPABLE), [])
    found = result(served(dict.fromkeys(EASY, CHEAP), CAPABLE), by_tier=by_tier, budget_usd=0.0005)
    summarise(console, found)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80, max(lines, key=len)


def test_on_a_terminal_the_display_shows_shares_and_moves() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80, height=40, force_terminal=True, color_system=None)
    move = Move("2026-01-01T00:00:00+00:00", "mmlu", "cheap", "capable", 17, "Low quality (0.76)")
    with watching(console) as tell:
        tell(served({}, CAPABLE, count=320), [move])
    shown = stream.getvalue()
    assert "320 of 320" in shown
    assert "100% of the newest 160" in shown
    assert "cheap -> capable  Low quality (0.76) after 17 ratings" in shown


def test_without_a_terminal_a_line_is_printed_for_every_tenth() -> None:
    stream = io.StringIO()
    whole = served({}, CAPABLE)
    with watching(Console(file=stream, width=200)) as tell:
        for done in range(16, 1825, 16):
            tell(Progress(whole.plan, whole.replies[:done]), [])
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[-1].split()[0] == "1,824/1,824"


@pytest.mark.parametrize(
    ("cost_usd", "text"), [(27.643, "$27.64"), (1234.5, "$1,234.50"), (0.029, "$0.029"), (0.00041, "$0.0004")]
)
def test_amounts(cost_usd: float, text: str) -> None:
    assert dollars(cost_usd) == text


def test_what_the_gateway_booked_is_told_beside_the_result() -> None:
    assert result(served({}, CAPABLE)).json()["run"] == {
        "took_s": 12.0,
        "feedback": {"ratings": 895, "requests": 71, "seconds": 0.3},
        "booked_cost_usd": 0.5,
    }
