"""docs/alerts.md: its settings are sound, its lists are complete, and its way to verify a webhook works."""

from __future__ import annotations

import base64
import re
import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from tiercel import bootstrap
from tiercel.adapters.webhook import signature
from tiercel.config.file import load
from tiercel.config.notify import NotifySettings
from tiercel.core.alerts.notice_state import MAX_ATTEMPTS
from tiercel.core.alerts.watch import LOOKED, SWEPT
from tiercel.domain.alert_rule import AlertRule, Metric
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.channel import FIELDS

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text("utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
NOW_S = 1_767_225_600.0


def test_the_examples_are_sound_together(tmp_path: Path) -> None:
    file = tmp_path / "tiercel.toml"
    file.write_text("\n".join(EXAMPLES))
    settings = load(file, policies=bootstrap.POLICIES)
    assert [rule.name for rule in settings.rules][:2] == ["slow-premium", "poor-reviews"]
    assert [channel.name for channel in settings.notify] == ["team-chat", "pager", "ops-hook"]


def test_the_defaults_are_those_in_the_page() -> None:
    assert tomllib.loads(EXAMPLES[0])["alerts"] == asdict(AlertThresholds())


@pytest.mark.parametrize("of", [AlertRule, NotifySettings])
def test_every_key_is_named(of: type[Any]) -> None:
    for field in fields(of):
        assert re.search(rf"^\| [^|]*`{field.name}`", PAGE, re.MULTILINE), field.name


def test_every_metric_and_every_word_of_a_template_is_named() -> None:
    for name in (*Metric, *FIELDS):
        assert f"`{name}`" in PAGE, name


def test_the_limits_are_those_in_the_page() -> None:
    assert f"at most {LOOKED:,} at a time, and {SWEPT} of all others" in PAGE
    assert f"{MAX_ATTEMPTS} times in about 20 minutes" in PAGE


def test_a_webhook_is_verified_as_the_page_says() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    place: dict[str, Any] = {}
    exec(code, place)  # noqa: S102 - the page's own lines
    verified = place["verified"]
    for key, secret in ((b"k" * 32, "whsec_" + base64.b64encode(b"k" * 32).decode()), (b"t" * 30, "t" * 30)):
        body = b'{"type": "alert.fired"}'
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(NOW_S))}
        headers["webhook-signature"] = signature(key, "msg_1", int(NOW_S), body)
        assert verified(secret, headers, body, NOW_S)
        assert not verified(secret, headers, body + b" ", NOW_S)
        assert not verified(secret, {**headers, "webhook-id": "msg_2"}, body, NOW_S)
        assert not verified(secret, headers, body, NOW_S + 301)
        assert not verified("x" * 32, headers, body, NOW_S)
