"""A route's judge behind a real gateway: grades come by themselves, and one that never answers is in nobody's way."""

from __future__ import annotations

import signal
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from support.servers import Gateway, gateway, get, post

MODELS = [("ok", "cheap"), ("judge-8", "premium"), ("judge-hang", "premium")]
ROUTES = """
[server]
seed = 5
[[routes]]
match = "judged/*"
policy = "fixed"
model = "ok"
judge = { model = "judge-8", rate = 1.0, rubric = "short", options = { temperature = 0 } }
[[routes]]
match = "drawn/*"
policy = "fixed"
model = "ok"
judge = { model = "judge-8", rate = 0.3 }
[[routes]]
match = "slow/*"
policy = "fixed"
model = "ok"
judge = { model = "judge-hang", rate = 1.0 }
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("judged"), MODELS, ROUTES) as started:
        yield started


def ask(served: Gateway, workflow: str, request_id: str = "", *, stream: bool = False) -> tuple[str, str]:
    """Ask something; the decision's id and the whole answer."""
    body = b'{"model": "auto", "messages": [{"role": "user", "content": "Who are you?"}], "stream": %s}'
    headers = {"content-type": "application/json", "x-tiercel-workflow": workflow}
    headers |= {"x-request-id": request_id} if request_id else {}
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{served.url}/v1/chat/completions", body % (b"true" if stream else b"false"), headers
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return answer.headers["x-tiercel-decision-id"], answer.read().decode()


def figure(served: Gateway, name: str) -> int:
    with urllib.request.urlopen(f"{served.url}/metrics", timeout=10) as answer:  # noqa: S310
        text = answer.read().decode()
    return int(text.partition(f"\n{name} ")[2].partition("\n")[0])


def graded(served: Gateway) -> None:
    """Wait until every answer drawn has its grade."""
    deadline = time.monotonic() + 20
    while figure(served, "tiercel_judge_under_way"):
        assert time.monotonic() < deadline


def known(served: Gateway, decision_id: str) -> Any:  # noqa: ANN401 - JSON is anything
    return get(f"{served.url}/v1/decisions/{decision_id}")


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_graded_by_itself(served: Gateway, stream: bool) -> None:  # noqa: FBT001 - a parameter
    decision_id, answer = ask(served, "judged", stream=stream)
    assert "I am " in answer
    graded(served)
    decision = known(served, decision_id)
    assert (decision["will_judge"], decision["judge_rate"]) == (True, 1.0)
    (rating,) = decision["feedback"]
    assert (rating["source"], rating["quality"], rating["model"]) == ("judge:judge-8", 0.8, "ok")
    judged_by = known(served, rating["metadata"]["judge_decision_id"])
    assert (judged_by["workflow"], judged_by["stage"], judged_by["policy"]) == ("tiercel", "judge", "requested")
    assert (judged_by["will_judge"], judged_by["feedback"]) == (None, [])
    assert judged_by["outcomes"][0]["cost_usd"] == pytest.approx((12 + 2 * 5) / 1e6)
    asked = [seen for seen in get(f"{served.upstream_url}/seen") if seen["model"] == "judge-8"][-1]
    assert asked["temperature"] == 0
    assert "A good answer is: short\n" in asked["messages"][0]["content"]
    assert "\nuser: Who are you?\n" in asked["messages"][0]["content"]
    assert "\nI am ok" in asked["messages"][0]["content"]


def test_exactly_the_drawn_share_is_judged(served: Gateway) -> None:
    made = [ask(served, "drawn", f"r{n}")[0] for n in range(60)]
    graded(served)
    decisions = [known(served, decision_id) for decision_id in made]
    drawn = [bool(decision["will_judge"]) for decision in decisions]
    assert {decision["judge_rate"] for decision in decisions} == {0.3}
    assert drawn == [bool(decision["feedback"]) for decision in decisions]
    assert 4 <= sum(drawn) <= 32  # four standard errors
    again = [known(served, ask(served, "drawn", f"r{n}")[0])["will_judge"] for n in range(10)]
    assert again == drawn[:10], "the coin repeats under a seed"
    graded(served)


def test_figures_of_judging(served: Gateway) -> None:
    for _ in range(3):
        ask(served, "judged")
    graded(served)
    report = get(f"{served.url}/v1/stats?judge=true")["judge"]
    (judge,) = report["judges"]
    assert (judge["model"], judge["mean_grade"]) == ("judge-8", pytest.approx(0.8))
    assert judge["agreement"] == {"n": 0, "note": "not enough data (n = 0)"}
    grades = figure(served, "tiercel_judge_grades_total")
    assert report["calls"] == judge["grades"] == report["since_start"]["graded"] == grades
    assert report["cost_usd"] == pytest.approx(grades * 22 / 1e6)
    assert 0 < report["cost_share"] < 1
    (other,) = get(f"{served.url}/v1/stats?judge=true&workflow=judged&stage=default")["judge"]["judges"]
    assert other["grades"] <= judge["grades"]
    assert "judge" not in get(f"{served.url}/v1/stats")


def test_nobody_else_speaks_for_the_judge(served: Gateway) -> None:
    decision_id, _ = ask(served, "judged")
    rating = {"decision_id": decision_id, "quality": 0.0}
    status, refused = post(f"{served.url}/v1/feedback", {**rating, "source": "judge:judge-8"})
    assert (status, refused["error"]["param"]) == (422, "source")
    status, refused = post(f"{served.url}/v1/feedback", [rating, {**rating, "source": "judge:judge-8"}])
    assert (status, refused["error"]["param"]) == (422, "[1].source")
    status, _ = post(f"{served.url}/v1/feedback", {**rating, "source": "judge:of-somebody-else"})
    assert status == 202
    graded(served)


def test_a_judge_that_never_answers_delays_neither_answers_nor_the_end(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with gateway(tmp_path_factory.mktemp("slow"), MODELS, ROUTES) as slow:
        made = [ask(slow, "slow", stream=bool(n % 2))[0] for n in range(10)]
        assert figure(slow, "tiercel_judge_under_way") == 10
        assert [known(slow, decision_id)["feedback"] for decision_id in made] == [[]] * 10
        began = time.monotonic()
        slow.process.send_signal(signal.SIGTERM)
        assert slow.process.wait(30) == 0
        # a judge has a minute for its reply, and what hangs when granian loses patience is killed after 10 s
        assert time.monotonic() - began < 8
        assert "Traceback" not in (slow.folder / "gateway.log").read_text()
