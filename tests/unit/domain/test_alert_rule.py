"""What a rule of one's own, and a channel, may say."""

from __future__ import annotations

from typing import Any

import pytest

from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.channel import Channel
from tiercel.domain.errors import InvalidInput

SOUND: dict[str, Any] = {"name": "r", "metric": "quality", "warning": 0.5}


def problems(of: type[AlertRule | Channel], given: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as raised:
        of(**given)
    return {problem.path: problem.message for problem in raised.value.problems}


@pytest.mark.parametrize(
    ("given", "path", "said"),
    [
        ({"name": ""}, "name", "must not be empty"),
        ({"name": 5}, "name", "must be a string"),
        ({"metric": "speed"}, "metric", "must be one of latency_p50_ms, "),
        ({"metric": ["quality"]}, "metric", "must be one of"),
        ({"warning": None}, "warning", "at least one threshold is needed"),
        ({"warning": "high"}, "warning", "must be a number"),
        ({"warning": True}, "warning", "must be a number"),
        ({"warning": float("nan")}, "warning", "must be finite"),
        ({"warning": 10**400}, "warning", "must be finite"),
        ({"warning": 1.5}, "warning", "must be in 0..1"),
        ({"warning": 0.5, "error": 0.6}, "error", "must be below warning (0.5)"),
        ({"warning": 0.5, "critical": 0.5}, "critical", "must be below warning (0.5)"),
        ({"error": 0.4, "critical": 0.5}, "critical", "must be below error (0.4)"),
        ({"metric": "spend_usd", "warning": 5, "error": 4}, "error", "must be above warning (5)"),
        ({"metric": "spend_usd", "warning": -1}, "warning", "must be 0 or more"),
        ({"model": "a\x00"}, "model", "must not hold control characters"),
        ({"agent": "a", "workflow": "w"}, "agent", "excludes workflow and stage"),
        ({"tier": "cheap"}, "tier", "goes with metric = 'probe_starvation_s' only"),
        (
            {"metric": "probe_starvation_s", "warning": 5, "tier": "cheap", "model": "m"},
            "tier",
            "excludes model",
        ),
        ({"window_s": 0}, "window_s", "must be above 0 and at most 691200"),
        ({"window_s": 700_000}, "window_s", "must be above 0 and at most 691200"),
        ({"minimum_sample": 0.5}, "minimum_sample", "must be a whole number of at least 1"),
        ({"resolve_after_s": -1}, "resolve_after_s", "must be 0 or more"),
    ],
)
def test_what_no_rule_may_say(given: dict[str, Any], path: str, said: str) -> None:
    found = problems(AlertRule, {**SOUND, **given})
    assert path in found, found
    assert found[path].startswith(said)


def test_every_problem_of_a_rule_at_once() -> None:
    assert set(problems(AlertRule, {"name": "", "metric": "quality", "warning": 2, "window_s": -1})) == {
        "name",
        "warning",
        "window_s",
    }


@pytest.mark.parametrize(
    ("given", "path", "said"),
    [
        ({"name": ""}, "name", "must not be empty"),
        ({"min_severity": "BAD"}, "min_severity", "must be one of INFO, WARNING"),
        ({"types": ("slow",)}, "types[0]", "must be one of high_latency"),
        ({"types": ([],)}, "types[0]", "must be one of high_latency"),
        ({"rules": (1,)}, "rules[0]", "must be a string"),
        ({"resolve": 1}, "resolve", "must be true or false"),
        ({"digest_s": -1}, "digest_s", "must be at least 0 and at most 86400"),
        ({"digest_s": "often"}, "digest_s", "must be a number"),
        ({"digest_over": 0}, "digest_over", "must be at least 1"),
        ({"title": " "}, "title", "must be text of 1..4000 characters"),
        ({"template": "{mesage}"}, "template", "must hold nothing in braces but one of occasion"),
        ({"template": "{message.__class__}"}, "template", "must hold nothing in braces but one of"),
        ({"template": "{message!r}"}, "template", "must hold nothing in braces but one of"),
        ({"template": "{message:>10000000}"}, "template", "must hold nothing in braces but one of"),
        ({"template": "{}"}, "template", "must hold nothing in braces but one of"),
        ({"template": "{message"}, "template", "cannot be read"),
    ],
)
def test_what_no_channel_may_say(given: dict[str, Any], path: str, said: str) -> None:
    found = problems(Channel, {"name": "c", **given})
    assert path in found, found
    assert found[path].startswith(said)
