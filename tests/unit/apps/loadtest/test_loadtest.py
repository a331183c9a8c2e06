"""The parts of a load test that need no processes: options, arrivals, the scripted models, the figures, the picture."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tiercel import bootstrap
from tiercel.apps.demo.upstream import Refused
from tiercel.apps.loadtest.gateway import Reply, memory_bytes
from tiercel.apps.loadtest.picture import draw
from tiercel.apps.loadtest.result import WINDOWS, LoadResult, result_of
from tiercel.apps.loadtest.scenarios import BRAVO, SCENARIOS, Phase
from tiercel.apps.loadtest.settings import LoadSettings, write_config
from tiercel.apps.loadtest.summary import summarise
from tiercel.apps.loadtest.traffic import Sent, Traffic, arrivals
from tiercel.apps.loadtest.upstream import LoadScript, quality_in
from tiercel.domain.errors import InvalidInput
from tiercel.testing import EPOCH


def test_every_problem_of_the_options_is_told() -> None:
    with pytest.raises(InvalidInput) as refused:
        LoadSettings(
            scenario="storms",
            duration_s=-1,
            rate_per_s=5,
            concurrency=4_000,
            seed=-1,
            url="example.org",
            picture=Path("x.gif"),
        )
    paths = [problem.path for problem in refused.value.problems]
    assert paths == ["--scenario", "--duration", "--rate", "--concurrency", "--seed", "--url", "--picture"]
    with pytest.raises(InvalidInput, match="leave --url away"):
        LoadSettings(scenario="degrade", url="http://127.0.0.1:1")


def test_the_configuration_is_read_as_meant(tmp_path: Path) -> None:
    read = bootstrap.load_settings(write_config(tmp_path, LoadSettings(seed=3), port=8_123, upstream_port=9_123))
    assert (read.server.port, read.server.seed) == (8_123, 3)
    assert [model.model_id for model in read.models] == ["alpha", "bravo", "charlie"]
    assert [rule.name for rule in read.rules] == ["bad answers"]


def test_scenarios_begin_at_0_and_their_phases_follow_one_another() -> None:
    for scenario in SCENARIOS.values():
        starts = [phase.start for phase in scenario.phases]
        assert starts[0] == 0.0
        assert starts == sorted(set(starts))
        assert all(0 < part < 1 for part in scenario.marks.values())
        assert scenario.phase(0.999) is scenario.phases[-1]


def test_requests_are_due_at_the_same_times_for_the_same_seed_and_as_often_as_the_scenario_says() -> None:
    spike = LoadSettings(scenario="spike", duration_s=100, rate_per_s=20, seed=4)
    due = list(arrivals(spike))
    assert due == list(arrivals(spike))
    assert due != list(arrivals(LoadSettings(scenario="spike", duration_s=100, rate_per_s=20, seed=5)))
    within = sum(40 <= at_s < 60 for at_s in due)
    assert within == pytest.approx(2_000, rel=0.1)
    assert len(due) - within == pytest.approx(1_600, rel=0.1)


class Script:
    """The script of a scenario of 100 seconds, at moments of one's choice."""

    def __init__(self, name: str) -> None:
        self.now_s = 0.0
        self.script = LoadScript(SCENARIOS[name], 100.0, 1, lambda: self.now_s)

    def ask(self, at_s: float, text: str, model: str = BRAVO) -> Any:  # noqa: ANN401 - JSON
        self.now_s = at_s
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()
        return json.loads(self.script.answer("POST /v1/chat/completions", body).whole())

    def quality(self, at_s: float, text: str) -> float:
        found = quality_in(self.ask(at_s, text)["choices"][0]["message"]["content"])
        assert found is not None
        return found


def test_a_model_degrades_and_recovers_on_time_and_answers_the_same_again() -> None:
    script, again = Script("degrade"), Script("degrade")
    script.ask(0.0, "first")
    again.ask(0.0, "first")

    def mean(at_s: float) -> float:
        qualities = []
        for number in range(60):
            with suppress(Refused):  # one call in twenty fails while it is bad
                qualities.append(script.quality(at_s, f"{number}"))
        return sum(qualities) / len(qualities)

    assert mean(10) == pytest.approx(0.9, abs=0.05)
    assert mean(40) == pytest.approx(0.3, abs=0.05)
    assert mean(60) == pytest.approx(0.9, abs=0.05)
    assert script.ask(70, "x") == again.ask(71, "x")


def test_in_a_storm_every_model_fails() -> None:
    script = Script("alert-storm")
    script.ask(0.0, "first")
    for model in ("alpha", "bravo", "charlie"):
        with pytest.raises(Refused) as refused:
            script.ask(50, "x", model)
        assert refused.value.status == 503


def test_what_is_no_chat_request_is_refused() -> None:
    script = Script("steady").script
    for line, body, status in (
        ("GET /v1/models", b"", 404),
        ("POST /v1/chat/completions", b"{", 400),
        ("POST /v1/chat/completions", b'{"model": "nobody", "messages": [{"content": "x"}]}', 400),
    ):
        with pytest.raises(Refused) as refused:
            script.answer(line, body)
        assert refused.value.status == status
    assert quality_in("nothing said") is None


def some_result(**changes: Any) -> LoadResult:  # noqa: ANN401 - settings
    settings = LoadSettings(**{"scenario": "degrade", "duration_s": 100, **changes})
    traffic = Traffic(storm_ratings=500, rated=3, memory=[(0.0, 1 << 27), (50.0, 1 << 28)])
    for number in range(1_000):
        reply = Reply(502) if number % 10 == 9 else Reply(200, "charlie" if 300 <= number < 500 else BRAVO, "d", 0.9)
        traffic.sent.append(Sent(number / 10, float(number % 100 + 1), reply))
    alert = {
        "alert_type": "drift",
        "severity": "WARNING",
        "model_id": BRAVO,
        "segment": ["stage", "loadtest", "draft"],
        "rule": "quality",
        "message": "Quality of bravo fell",
        "timestamp": (EPOCH + timedelta(seconds=40)).isoformat(),
        "resolved_at": (EPOCH + timedelta(seconds=55)).isoformat(),
    }
    old = {**alert, "timestamp": (EPOCH - timedelta(seconds=1)).isoformat()}
    active = {**alert, "severity": "ERROR", "resolved_at": None}
    return result_of(settings, traffic, [old, active, alert], EPOCH, 101.0)


def test_the_figures() -> None:
    result = some_result()
    assert (result.requests, result.failures, result.breaches) == (1_000, 100, 600)
    assert result.statuses == {"200": 900, "502": 100}
    assert result.latency_ms.p50 == pytest.approx(49, abs=2)
    assert result.latency_ms.p99 == pytest.approx(98, abs=2)
    assert result.shares == {BRAVO: pytest.approx(0.8), "charlie": pytest.approx(0.2)}
    assert [spell.name for spell in result.spells] == ["before", "bravo degrades", "bravo recovers"]
    assert [spell.shares.get(BRAVO, 0.0) for spell in result.spells] == [1.0, 0.0, 1.0]
    assert len(result.windows) == WINDOWS
    assert sum(window.requests for window in result.windows) == 1_000
    raised = [(alert.severity, alert.raised_s, alert.resolved_s, alert.stage) for alert in result.alerts]
    assert raised == [("ERROR", 40.0, None, "loadtest/draft"), ("WARNING", 40.0, 55.0, "loadtest/draft")]
    assert result.most_alerts_of_an_incident == 1
    json.dumps(result.json(), allow_nan=False)


def test_the_report_says_it_in_words() -> None:
    page = io.StringIO()
    summarise(Console(width=160, file=page), some_result())
    said = page.getvalue()
    assert "1,000 (900 x 200, 100 x 502)" in said
    assert "2 alerts, 1 resolved; 600 breaches; none was raised twice in one severity." in said
    assert "128 MiB after a tenth, 256 MiB at the end" in said


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_picture_is_the_same_for_the_same_result(kind: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    draw(some_result(), first)
    draw(some_result(), second)
    assert first.read_bytes() == second.read_bytes()
    if kind == "svg":
        text = first.read_text()
        assert "bravo degrades" in text
        assert "drift quality bravo" in text


def test_a_test_without_any_answer_has_a_report_and_a_picture(tmp_path: Path) -> None:
    settings = LoadSettings(scenario="steady", duration_s=10)
    traffic = Traffic(sent=[Sent(1.0, 5.0, Reply(0))])
    result = result_of(settings, traffic, [], EPOCH, 10.0)
    draw(result, tmp_path / "empty.svg")
    assert (result.latency_ms.p50, result.shares, result.spells) == (None, {}, ())


def test_phases_have_a_load_of_their_own() -> None:
    assert Phase(0.0).load == 1.0
    held = memory_bytes(1 << 30)
    assert held is None
