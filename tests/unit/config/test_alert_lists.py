"""[[rules]] and [[notify]] of a file: every problem at once, where it is, and no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiercel import bootstrap
from tiercel.config.advice import advice
from tiercel.config.description import describe
from tiercel.config.file import load
from tiercel.config.settings import Settings
from tiercel.domain.errors import ConfigurationError

SOUND = """
[[models]]
id = "small"
tier = "cheap"

[[rules]]
name = "slow"
metric = "latency_p95_ms"
model = "sm*"
warning = 500

[[notify]]
name = "chat"
url_env = "CHAT"
rules = ["slow"]
"""


def loaded(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "tiercel.toml"
    file.write_text(text)
    return load(file, policies=bootstrap.POLICIES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[rules]]\nname = 'a'", "rules[0].metric: is required"),
        ("[[rules]]\nmetric = 'quality'\nwarning = 0.5", "rules[0].name: is required"),
        ("[[rules]]\nname = 'a'\nmetric = 'quality'\nwarning = 2", "rules[0].warning: must be in 0..1 (found 2)"),
        (
            "[[rules]]\nname = 'a'\nmetrik = 'quality'",
            "rules[0].metrik: is no key tiercel knows; did you mean 'metric'?",
        ),
        ("[rules]\nname = 'a'", "rules: must be a list"),
        ("rules = [1]", "rules[0]: must be a table"),
        (SOUND + "[[rules]]\nname = 'slow'\nmetric = 'quality'\nerror = 0.5", "rules[1].name: must be unique"),
        ("[[notify]]\nname = 'a'", "notify[0].url_env: either this is needed, or webhook_env with secret_env"),
        ("[[notify]]\nname = 'a'\nurl_env = 'A'\ntypes = 5", "notify[0].types: must be a list of names (found 5)"),
        ("[[notify]]\nname = 'a'\nurl_env = 'A'\nrules = 'slow'", "notify[0].rules: must be a list of names"),
        ("[[notify]]\nname = 'a'\nwebhook_env = 'A'", "notify[0].secret_env: goes with webhook_env"),
        ("[[notify]]\nname = 'a'\nurl_env = 'A'\nwebhook_env = 'B'", "notify[0].url_env: either this is needed"),
        ("[[notify]]\nname = 'a'\nurl_env = 'slack://hidden'", "notify[0].url_env: must be the name of an environment"),
        (
            "[[notify]]\nname = 'a'\nurl_env = 'A'\nsecret = 'hidden'",
            "notify[0].secret: a secret must not stand in the",
        ),
        (
            "[[notify]]\nname = 'a'\nurl_env = 'A'\ntemplate = '{x}'",
            "notify[0].template: must hold nothing in braces but",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        loaded(tmp_path, text)
    assert said in str(error.value)
    assert "hidden" not in str(error.value)


def test_problems_of_both_and_of_other_sections_come_together(tmp_path: Path) -> None:
    text = (
        "[server]\nport = -1\n[[rules]]\nname = 'a'\nmetric = 'x'\n[[notify]]\nname = 'a'\nurl_env = 'A'\ndigest_s = -1"
    )
    with pytest.raises(ConfigurationError) as error:
        loaded(tmp_path, text)
    assert {problem.path for problem in error.value.problems} == {
        "server.port",
        "rules[0].metric",
        "notify[0].digest_s",
    }


def test_what_is_sound_is_described_and_advised_on(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SOUND)
    assert not [a for a in advice(settings, environment={"CHAT": "x"}) if a.path[:5] in ("rules", "notif")]
    assert [a.path for a in advice(settings, environment={}) if a.path.startswith("notify")] == ["notify[0].url_env"]
    strange = SOUND.replace("sm*", "big*").replace('["slow"]', '["fast"]')
    told = {a.path for a in advice(loaded(tmp_path, strange), environment={"CHAT": "x"})}
    assert {"rules[0].model", "notify[0].rules"} <= told
    shown = describe(settings)
    assert shown["rules"][0]["model"] == "sm*"
    assert (shown["notify"][0]["url_env"], shown["notify"][0]["rules"]) == ("CHAT", ["slow"])
