from __future__ import annotations

import json

from tiercel.config.description import describe
from tiercel.config.file import parse
from tiercel.config.settings import Settings, StoreSettings

POLICIES = ("fixed", "tier-rules")
TEXT = """
[[providers]]
id = "p"
base_url = "https://p.example/v1"
api_key_env = "P_KEY"
[[providers]]
id = "q"
base_url = "https://q.example/v1"
[[keys]]
name = "ops"
key_env = "OPS_KEY"
role = "admin"
[[models]]
id = "m"
provider = "p"
price_usd_per_mtok = { input = 1, output = 2 }
[[models]]
id = "n"
[[routes]]
policy = "fixed"
model = "m"
[[routes]]
models = ["m"]
policy = "tier-rules"
probe_share = 0
judge = { model = "m", rate = 1 }
[[agents]]
id = "a"
required = ["coding"]
"""


def test_secrets_are_not_shown_only_whether_they_are_set() -> None:
    settings = parse(TEXT, "a.toml", policies=POLICIES)
    shown = describe(settings, environment={"P_KEY": "sk-CANARY"})
    assert "CANARY" not in json.dumps(shown)
    assert shown["keys"] == [{"name": "ops", "role": "admin", "key_env": "OPS_KEY", "key_is_set": False}]
    shown = describe(settings, environment={"P_KEY": "sk-CANARY", "OPS_KEY": "CANARY" * 3})
    assert "CANARY" not in json.dumps(shown)
    assert shown["keys"][0]["key_is_set"]
    assert [p["api_key_is_set"] for p in shown["providers"]] == [True, None]
    shown = describe(settings, environment={})
    assert [p["api_key_is_set"] for p in shown["providers"]] == [False, None]


def test_a_password_in_an_address_is_masked() -> None:
    shown = describe(Settings(store=StoreSettings(url="redis://u:CANARY@h:1/0")), environment={})
    assert shown["store"]["url"] == "redis://***@h:1/0"


def test_sections_are_plain_values_under_the_names_of_the_file() -> None:
    settings = parse(TEXT, "a.toml", policies=POLICIES)
    shown = describe(settings, price_sources={"m": "file"}, environment={})
    assert json.loads(json.dumps(shown)) == shown
    assert [(m["price_usd_per_mtok"], m["price_source"]) for m in shown["models"]] == [
        ({"input": 1.0, "output": 2.0}, "file"),
        (None, None),
    ]
    assert shown["routes"] == [
        {
            "match": "*",
            "models": "all",
            "policy": "fixed",
            "model": "m",
            "embedding_dimensions": 16,
            "changes": "at-once",
            "changes_apply_to": "all",
        },
        {
            "match": "*",
            "models": ["m"],
            "policy": "tier-rules",
            "probe_share": 0.0,
            "embedding_dimensions": 16,
            "changes": "at-once",
            "changes_apply_to": "all",
            "judge": {"model": "m", "rate": 1},
        },
    ]
    assert shown["agents"][0]["required"] == ["coding"]
    assert shown["server"]["port"] == 8080
