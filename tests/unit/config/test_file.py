from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tiercel.config.file import load, parse
from tiercel.config.settings import (
    FeedbackSettings,
    KeySettings,
    ProviderSettings,
    RouteSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from tiercel.config.validation import validated
from tiercel.core.adaptive import AdaptiveConfig
from tiercel.core.grading import JudgeSettings
from tiercel.domain.access import Role
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.catalogue import Agent, ModelProfile, Price
from tiercel.domain.errors import ConfigurationError, Problem

POLICIES = ("fixed", "random", "tier-rules", "adaptive-score")
BROKEN = Path(__file__).with_name("broken.toml")
PROVIDER = '[[providers]]\nid = "p"\nbase_url = "https://p.example/v1"\n'
MODEL = '[[models]]\nid = "m"\n'
KEY = '[[keys]]\nname = "k"\nkey_env = "K"\n'
JUDGE = MODEL + "[[routes]]\njudge = { %s }"

COMPLETE = """
tiers = ["small", "large"]

[store]
url = "sqlite:///kept.db"
retention_s = 3600

[server]
host = "0.0.0.0"
port = 9000
timeout_s = 30
max_body_bytes = 1000
seed = 7
forward_metadata = true
public_hosts = ["Tiercel.example.com", "other:8443"]
session_s = 600

[[keys]]
name = "ops"
key_env = "OPS_KEY"
role = "admin"

[[providers]]
id = "openai"
base_url = "https://api.openai.com/v1/"
api_key_env = "OPENAI_API_KEY"
timeout_s = 60

[[models]]
id = "mini"
name = "Mini"
provider = "openai"
upstream = "gpt-4o-mini"
tier = "small"
context_length = 128000
capabilities = { coding = 0.7, "free form" = 1 }
price_usd_per_mtok = { input = 0.15, output = 0.60 }

[[models]]
id = "big"
tier = "large"

[[routes]]
name = "review"
match = "code-review/*"
models = ["mini", "big"]
policy = "tier-rules"
start_tier = "large"
probe_share = 0.05
quality_weight = 1
cost_weight = 2
latency_weight = 0.5
judge = { model = "big", rate = 0.2, rubric = "Short.", max_calls_per_minute = 30, options = { temperature = 0 } }

[[routes]]
policy = "fixed"
model = "mini"
target_quality = 0.85

[[agents]]
agent_id = "gpu"
name = "GPU"
required = ["coding"]
preferred = ["free form"]
min_context_length = 4096
status = "maintenance"
require_all = true

[feedback]
trusted_sources = ["judge"]
min_samples = 5
quality_threshold = 0.8

[adaptive]
capability_weight = 0.5
success_rate_weight = 0.25
latency_weight = 0.25
min_acceptable_success_rate = 0.8
max_acceptable_latency_ms = 900
min_requests_for_performance = 3

[alerts]
cooldown_s = 60
"""


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "a.toml", policies=POLICIES)
    return list(caught.value.problems)


def test_a_complete_file_gives_every_setting() -> None:
    assert parse(COMPLETE, "a.toml", policies=POLICIES) == Settings(
        tiers=("small", "large"),
        store=StoreSettings(url="sqlite:///kept.db", retention_s=3600.0),
        server=ServerSettings(
            host="0.0.0.0",  # noqa: S104 - nothing is bound
            port=9000,
            timeout_s=30.0,
            max_body_bytes=1000,
            seed=7,
            forward_metadata=True,
            public_hosts=("tiercel.example.com", "other:8443"),
            session_s=600.0,
        ),
        keys=(KeySettings(name="ops", key_env="OPS_KEY", role=Role.ADMIN),),
        providers=(
            ProviderSettings(
                id="openai", base_url="https://api.openai.com/v1", api_key_env="OPENAI_API_KEY", timeout_s=60.0
            ),
        ),
        models=(
            ModelProfile(
                model_id="mini",
                model_name="Mini",
                provider="openai",
                upstream="gpt-4o-mini",
                tier="small",
                context_length=128_000,
                capabilities={"coding": 0.7, "free form": 1.0},
                price=Price(0.15, 0.60),
            ),
            ModelProfile(model_id="big", tier="large"),
        ),
        routes=(
            RouteSettings(
                name="review",
                match="code-review/*",
                models=("mini", "big"),
                policy="tier-rules",
                start_tier="large",
                probe_share=0.05,
                quality_weight=1.0,
                cost_weight=2.0,
                latency_weight=0.5,
                judge=JudgeSettings(
                    model="big", rate=0.2, rubric="Short.", max_calls_per_minute=30, options={"temperature": 0}
                ),
            ),
            RouteSettings(policy="fixed", model="mini", target_quality=0.85),
        ),
        agents=(
            Agent(
                agent_id="gpu",
                agent_name="GPU",
                required=("coding",),
                preferred=("free form",),
                min_context_length=4096,
                status="maintenance",
                require_all=True,
            ),
        ),
        feedback=FeedbackSettings(trusted_sources=("judge",), min_samples=5, quality_threshold=0.8),
        adaptive=AdaptiveConfig(
            capability_weight=0.5,
            success_rate_weight=0.25,
            latency_weight=0.25,
            min_acceptable_success_rate=0.8,
            max_acceptable_latency_ms=900,
            min_requests_for_performance=3,
        ),
        alerts=AlertThresholds(cooldown_s=60),
    )


def test_a_judge_has_defaults_and_is_trusted() -> None:
    text = JUDGE % 'model = "m", rubric = ""' + '\n[feedback]\ntrusted_sources = ["nightly"]'
    settings = parse(text, "a.toml", policies=POLICIES)
    assert settings.routes == (RouteSettings(judge=JudgeSettings(model="m", rate=0.1)),)
    assert settings.trusted_sources == {"nightly", "judge:m"}


def test_an_empty_file_gives_the_defaults() -> None:
    assert parse("", "a.toml", policies=POLICIES) == Settings()


def test_all_problems_of_a_file_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(BROKEN, policies=POLICIES, environment={})
    assert {(problem.path, problem.kind) for problem in caught.value.problems} == {
        ("store.url", "unknown"),
        ("store.retention_s", "range"),
        ("server.prot", "unknown"),
        ("server.port", "type"),
        ("server.seed", "type"),
        ("server.timeout_s", "range"),
        ("providers[0].base_url", "value"),
        ("providers[0].api_key", "value"),
        ("providers[1].id", "value"),
        ("providers[1].base_url", "value"),
        ("providers[1].api_key_env", "value"),
        ("providers[2].id", "missing"),
        ("providers[2].base_url", "value"),
        ("models[0].tier", "unknown"),
        ("models[0].context_lenght", "unknown"),
        ("models[0].context_length", "range"),
        ("models[0].capabilities.coding", "range"),
        ("models[0].capabilities.math", "type"),
        ("models[0].price_usd_per_mtok.input", "range"),
        ("models[0].price_usd_per_mtok.output", "missing"),
        ("models[0].price_usd_per_mtok.ouput", "unknown"),
        ("models[1].id", "value"),
        ("models[1].price_usd_per_mtok", "type"),
        ("models[2].price_usd_per_mtok.input", "range"),
        ("routes[0].match", "value"),
        ("routes[0].models[1]", "unknown"),
        ("routes[0].policy", "unknown"),
        ("routes[0].budget_usd_per_request", "value"),
        ("routes[0].quality_weight", "value"),
        ("routes[1].match", "value"),
        ("routes[1].models", "range"),
        ("routes[1].target_quality", "range"),
        ("routes[1].start_tier", "unknown"),
        ("agents[0].status", "unknown"),
        ("agents[1].agent_id", "missing"),
        ("agents[1].required", "type"),
        ("feedback.min_samples", "range"),
        ("feedback.quality_threshold", "range"),
        ("adaptive.latencey_weight", "unknown"),
        ("adaptive.capability_weight + success_rate_weight + latency_weight", "range"),
        ("alerts.latency_p95_error_ms", "range"),
        ("alerts.success_rate_eror", "unknown"),
        ("nonsense", "unknown"),
    }
    assert "CANARY" not in str(caught.value)
    assert str(caught.value).startswith(f"{BROKEN}: ")


@pytest.mark.parametrize(
    ("text", "path", "message", "found"),
    [
        ("[server]\nprot = 1", "server.prot", "did you mean 'port'?", "1"),
        ("[stroe]", "stroe", "did you mean 'store'?", "a table"),
        ('[adaptive]\nlatencey_weight = "x"', "adaptive.latencey_weight", "did you mean 'latency_weight'?", "'x'"),
        (MODEL + 'tier = "chaep"', "models[0].tier", "(cheap, capable, premium); did you mean 'cheap'?", "'chaep'"),
        (MODEL + 'provider = "p"', "models[0].provider", "must be a provider, and there is none", "'p'"),
        (MODEL + PROVIDER + '[[models]]\nid="n"\nprovider="q"', "models[1].provider", "must be a provider (p)", "'q'"),
        ('[[routes]]\npolicy = "tierrules"', "routes[0].policy", "did you mean 'tier-rules'?", "'tierrules'"),
        (MODEL + '[[routes]]\nmodel = "n"', "routes[0].model", "must be a model (m)", "'n'"),
        (MODEL + MODEL, "models[1].id", "must be unique: another model has it already", "'m'"),
        ('[[routes]]\nname="a"\n[[routes]]\nname="a"', "routes[1].name", "must be unique", "'a'"),
        ('[[agents]]\nid="a"\n[[agents]]\nagent_id="a"', "agents[1].agent_id", "must be unique", "'a'"),
        ('tiers = ["a", "a"]', "tiers[1]", "must be unique", "'a'"),
        ("tiers = []", "tiers", "at least 1 item", "a list"),
        (MODEL + "price_usd_per_mtok = { input = 1 }", "models[0].price_usd_per_mtok.output", "is required", ""),
        (MODEL + 'capabilities = { "a.b" = 2 }', 'models[0].capabilities."a.b"', "must be at most 1", "2"),
        (MODEL + 'capabilities = { "" = 1 }', 'models[0].capabilities.""', "must not be empty", "''"),
        (MODEL + 'name = "a\\u001bb"', "models[0].name", "must not hold control characters", "'a\\x1bb'"),
        ("[server]\nport = 65536", "server.port", "must be at most 65535", "65536"),
        ("[feedback]\nmin_samples = 101", "feedback.min_samples", "must be at most 100", "101"),
        ("[server]\nport = 80.0", "server.port", "must be a whole number", "80.0"),
        ("[server]\nforward_metadata = 1", "server.forward_metadata", "must be true or false", "1"),
        ("[server]\nport = true", "server.port", "must be a whole number", "true"),
        ("server = 1", "server", "must be a table", "1"),
        ("models = 1", "models", "must be a list", "1"),
        ("models = [1]", "models[0]", "must be a table", "1"),
        ("adaptive = 1", "adaptive", "must be a table", "1"),
        ('[store]\nurl = "redis://:pw@host"', "store.url", "must not hold a password", ""),
        ('[store]\nurl = "sqlite://x.db"', "store.url", "sqlite:///relative.db", "'sqlite://x.db'"),
        ('[[providers]]\nid="p"\nbase_url="http://"', "providers[0].base_url", "name a host", "'http://'"),
        ('[[providers]]\nid="p"\nbase_url="http://h:x"', "providers[0].base_url", "must be an address", "'http://h:x'"),
        ('[[providers]]\nid="p"\nbase_url="http://h/?k=v"', "providers[0].base_url", "no ? or #", "'http://h/'"),
        ("[server]\nsession_s = 59", "server.session_s", "must be between 60", "59"),
        (
            '[server]\npublic_hosts = ["https://a"]',
            "server.public_hosts[0]",
            "must be a name or address",
            "'https://a'",
        ),
        (KEY + 'role = "root"', "keys[0].role", "must be a role (viewer, caller, admin)", "'root'"),
        (KEY, "keys[0].role", "is required", ""),
        (KEY + 'role = "admin"\n' + KEY + 'role = "viewer"', "keys[1].name", "another key has it already", "'k'"),
        ('[[keys]]\nname="k"\nrole="admin"\nkey_env="sk-CANARY"', "keys[0].key_env", "never the key itself", ""),
        ('[[routes]]\nmatch = ""', "routes[0].match", "must be a glob", "''"),
        ('[[routes]]\nmatch = "a"', "routes[0].match", "did you mean 'a/*'?", "'a'"),
        ("[[routes]]\nprobe_share = 1", "routes[0].probe_share", "must be below 1", "1"),
        ('[[routes]]\nchanges = "later"', "routes[0].changes", "at-once", "'later'"),
        ('[[routes]]\nchanges_apply_to = "up"', "routes[0].changes_apply_to", "down", "'up'"),
        ("[[routes]]\nrollout_shares = [0.5]", "routes[0].rollout_shares", "must rise from above 0 to 1", "a list"),
        ("[[routes]]\nrollout_shares = [0.5, 0.2, 1.0]", "routes[0].rollout_shares", "must rise", "a list"),
        ("[[routes]]\nrollout_shares = [1.0]", "routes[0].rollout_shares", "must rise", "a list"),
        ("[[routes]]\nrollout_confidence = 1", "routes[0].rollout_confidence", "must be below 1", "1"),
        ("[[routes]]\napproval_timeout_s = 0", "routes[0].approval_timeout_s", "must be above 0", "0"),
        ('[[routes]]\npolicy = "fixed"\nfrom_policy = "fixed"', "routes[0].from_policy", "another policy", "'fixed'"),
        ('[[routes]]\nfrom_policy = "tierrules"', "routes[0].from_policy", "did you mean 'tier-rules'?", "'tierrules'"),
        ("[[routes]]\ncost_weight = -1", "routes[0].cost_weight", "must be at least 0", "-1"),
        (JUDGE % 'model = "n"', "routes[0].judge.model", "must be a model (m)", "'n'"),
        (JUDGE % "rate = 0.5", "routes[0].judge.model", "is required", ""),
        (JUDGE % 'model = "m", rate = 0', "routes[0].judge.rate", "must be above 0", "0"),
        (JUDGE % 'model = "m", rate = 1.01', "routes[0].judge.rate", "must be at most 1", "1.01"),
        (JUDGE % 'model = "m", rate = nan', "routes[0].judge.rate", "must be finite", "nan"),
        (JUDGE % 'model = "m", rubrik = ""', "routes[0].judge.rubrik", "did you mean 'rubric'?", "''"),
        (JUDGE % 'model = "m", max_calls_per_minute = 0', "routes[0].judge.max_calls_per_minute", "above 0", "0"),
        (JUDGE % 'model = "m", options = { stream = true }', "routes[0].judge.options", "must not hold 'stream'", ""),
        (JUDGE % 'model = "m", options = { api_key = "x" }', "routes[0].judge.options", "must not hold 'api_key'", ""),
        ("[adaptive]\nlatency_weight = true", "adaptive.latency_weight", "must be a number", "True"),
    ],
)
def test_a_problem_says_where_what_and_what_is_expected(text: str, path: str, message: str, found: str) -> None:
    (problem,) = problems(text)
    assert problem.path == path
    assert message in problem.message
    assert problem.found == found


@pytest.mark.parametrize(
    "text",
    [
        PROVIDER + 'api_key = "CANARY"',
        PROVIDER + 'apikey = "CANARY"',
        PROVIDER + 'token = "CANARY"',
        PROVIDER + 'auth = { bearer = "CANARY" }',
        '[server]\nsecret = "CANARY"',
        PROVIDER + 'api_key_env = "CANARY-x"',
        '[[providers]]\nid="p"\nbase_url="https://u:CANARY@h/v1"',
        '[[providers]]\nid="p"\nbase_url="https://CANARY@h/v1"',
        '[[providers]]\nid="p"\nbase_url="https://h/v1?key=CANARY"',
        '[[providers]]\nid="p"\nbase_url="sk-CANARY-CANARY"',
        '[store]\nurl="sqlite://u:CANARY@h/x"',
        '[server]\nhots = "sk-CANARY-CANARY"',
        'providers = { api_key = "CANARY" }',
    ],
)
def test_a_secret_is_refused_and_never_shown(text: str) -> None:
    found = problems(text)
    assert found
    assert not [problem for problem in found if "CANARY" in str(problem)]


def test_the_key_itself_is_answered_with_how_to_name_it() -> None:
    (problem,) = problems(PROVIDER + 'api_key = "sk-x"')
    assert "in api_key_env" in problem.message
    (problem,) = problems('[[keys]]\nname = "a"\nkey_env = "A"\nrole = "admin"\nkey = "CANARY"')
    assert "in key_env" in problem.message
    assert "CANARY" not in str(problem)


@pytest.mark.parametrize("weights", ["quality_weight = 1\ncost_weight = 2", "latency_weight = 0", ""])
def test_weights_go_together_but_not_with_other_modes(weights: str) -> None:
    parse(f"[[routes]]\n{weights}", "a.toml", policies=POLICIES)
    if weights:
        assert problems(f"[[routes]]\ntarget_quality = 0.5\n{weights}")
        assert problems(f"[[routes]]\nbudget_usd_per_request = 0.5\n{weights}")


@pytest.mark.parametrize("match", ["*", "a/b", "a/*", "a*", "?/b", "[ab]/c", "[!a]/c", "[]a]/c", "*/[*]"])
def test_globs_that_can_match(match: str) -> None:
    assert parse(f"[[routes]]\nmatch = '{match}'", "a.toml", policies=POLICIES).routes[0].match == match


def test_a_fault_in_one_place_causes_none_in_others() -> None:
    """References to what is itself broken, and references that cannot be checked, are not reported."""
    text = '[[models]]\nid = "m"\ntier = 3\n[[models]]\nid = 4\n[[routes]]\nmodels = ["m", "n"]'
    assert {problem.path for problem in problems(text)} == {"models[0].tier", "models[1].id"}


def test_bad_toml_is_placed_by_line_and_column() -> None:
    (problem,) = problems('[store]\nurl = "memory://"\nurl 3\n')
    assert "line 3, column 5" in problem.message


def test_toml_nested_without_end_is_refused() -> None:
    assert problems("a = " + "[" * 100_000)


@pytest.mark.parametrize("content", [None, b"a = '\xff'"])
def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "tiercel.toml"
    if content is not None:
        path.write_bytes(content)
    for unreadable in (path, tmp_path, "a\0b"):
        with pytest.raises(ConfigurationError) as caught:
            load(unreadable, policies=POLICIES, environment={})
        assert caught.value.source == str(unreadable)


@pytest.mark.parametrize("retention_s", ["0", "3599", "315360001", "1e12", "inf"])
def test_a_retention_that_no_calendar_holds_is_refused(retention_s: str) -> None:
    (problem,) = problems(f"[store]\nretention_s = {retention_s}")
    assert (problem.path, problem.kind) == ("store.retention_s", "range")


@pytest.mark.parametrize("retention_s", [3600, 315_360_000])
def test_the_shortest_and_the_longest_retention(retention_s: int) -> None:
    assert parse(f"[store]\nretention_s = {retention_s}", "a.toml", policies=POLICIES).store.retention_s == retention_s


def test_the_environment_overrides_the_store(tmp_path: Path) -> None:
    path = tmp_path / "tiercel.toml"
    path.write_text('[store]\nurl = "sqlite:///a.db"\nretention_s = 3600')
    settings = load(path, policies=POLICIES, environment={})
    overridden = load(path, policies=POLICIES, environment={"TIERCEL_STORE": "memory://"})
    assert overridden == replace(settings, store=StoreSettings(url="memory://", retention_s=3600.0))
    with pytest.raises(ConfigurationError, match="TIERCEL_STORE"):
        load(path, policies=POLICIES, environment={"TIERCEL_STORE": "nowhere"})


def test_pydantic_is_imported_only_for_a_file() -> None:
    check = "import sys, tiercel.config.file; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@given(st.text())
@example("\ud800")
def test_any_text_is_settings_or_a_configuration_error(text: str) -> None:
    with suppress(ConfigurationError):
        parse(text, "a.toml", policies=POLICIES)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
_KEYS = st.sampled_from(
    ["id", "agent_id", "tier", "url", "match", "models", "policy", "capabilities", "input", "latency_weight"]
)


def _tables(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(_KEYS | st.text(max_size=5), values, max_size=4)


_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | _tables(inner), max_leaves=8)
_SECTIONS = st.sampled_from(
    ["store", "server", "tiers", "providers", "models", "routes", "agents", "adaptive", "alerts"]
)


@given(st.dictionaries(_SECTIONS, _VALUES | st.lists(_tables(_VALUES), max_size=3), max_size=4))
def test_any_tables_are_settings_or_a_configuration_error(raw: dict[str, Any]) -> None:
    with suppress(ConfigurationError):
        validated(raw, "a.toml", POLICIES)


@pytest.mark.parametrize("outbox", ["true", "false", '"kept.db"'])
def test_what_an_outbox_may_be(outbox: str) -> None:
    store = parse(f"[store]\noutbox = {outbox}\noutbox_max_events = 10", "a.toml", policies=POLICIES).store
    assert (store.outbox, store.outbox_max_events) == (json.loads(outbox), 10)


@pytest.mark.parametrize(
    ("line", "path"),
    [('outbox = ""', "outbox"), ("outbox = 3", "outbox"), ("outbox_max_events = 0", "outbox_max_events")],
)
def test_what_an_outbox_may_not_be(line: str, path: str) -> None:
    (problem,) = problems(f"[store]\n{line}")
    assert problem.path.startswith(f"store.{path}")
