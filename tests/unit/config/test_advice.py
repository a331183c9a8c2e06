from __future__ import annotations

import pytest

from tiercel.config.advice import advice
from tiercel.config.file import parse

POLICIES = ("fixed", "random", "tier-rules", "adaptive-score", "contextual", "segment", "thompson", "knn")
SOUND = """
[[providers]]
id = "p"
base_url = "https://p.example/v1"
api_key_env = "P_KEY"
[[models]]
id = "m"
provider = "p"
capabilities = { coding = 0.5, vision = 0 }
price_usd_per_mtok = { input = 1, output = 2 }
"""


def notes(text: str, environment: dict[str, str] | None = None) -> list[str]:
    settings = parse(text, "a.toml", policies=POLICIES)
    found = advice(settings, environment={"P_KEY": "k"} if environment is None else environment)
    assert {note.kind for note in found} <= {"advice"}
    return [str(note) for note in found]


def test_nothing_to_say_of_a_sound_file() -> None:
    assert notes(SOUND) == []


@pytest.mark.parametrize(
    ("addition", "path", "message"),
    [
        ('[[models]]\nid="n"\nprovider="p"', "models[1].price_usd_per_mtok", "stays unknown"),
        (
            '[[models]]\nid="n"\nprice_usd_per_mtok={input=0,output=0}',
            "models[1].provider",
            "can choose this model but not call it",
        ),
        ('[[providers]]\nid="q"\nbase_url="https://q"', "providers[1]", "no model is of this provider"),
        (
            '[[routes]]\npolicy="tier-rules"\ntarget_quality=0.8',
            "routes[0].target_quality",
            "is not used by the policy 'tier-rules'",
        ),
        ('[[routes]]\nstart_tier="cheap"', "routes[0].start_tier", "is not used by the policy 'contextual'"),
        ("[[routes]]\nprobe_share=0.1", "routes[0].probe_share", "is not used by the policy 'contextual'"),
        ('[[routes]]\npolicy="segment"\nfeatures=["f"]', "routes[0].features", "not used by the policy 'segment'"),
        ('[[routes]]\npolicy="random"\nembedding="e"', "routes[0].embedding", "not used by the policy 'random'"),
        ('[[routes]]\npolicy="random"\nprobe_share=0.1', "routes[0].probe_share", "not used by the policy 'random'"),
        ('[[routes]]\nmodel="m"', "routes[0].model", "is not used by the policy 'contextual'"),
        ('[[routes]]\n[[routes]]\nmatch="a/b"', "routes[1].match", "routes[0] stands before it"),
        ('[[routes]]\nmatch="a*/*"\n[[routes]]\nmatch="ab/*"', "routes[1].match", "routes[0] stands before it"),
        ('[[keys]]\nname="a"\nkey_env="NONE"\nrole="admin"', "keys[0].key_env", "NONE is not set"),
        ('[server]\nhost="0.0.0.0"', "server.host", "asks for [[keys]]"),
        ('[[agents]]\nid="a"\nrequired=["codin"]', "agents[0].required[0]", "did you mean 'coding'?"),
        ('[[agents]]\nid="a"\npreferred=["vision"]', "agents[0].preferred[0]", "no model has this capability"),
    ],
)
def test_what_is_allowed_and_probably_not_meant(addition: str, path: str, message: str) -> None:
    (note,) = notes(SOUND + addition)
    assert note.startswith(f"{path}: ")
    assert message in note


def test_a_fixed_model_outside_its_route() -> None:
    second = '[[models]]\nid="n"\nprovider="p"\nprice_usd_per_mtok={input=0,output=0}\n'
    (note,) = notes(SOUND + second + '[[routes]]\npolicy="fixed"\nmodel="m"\nmodels=["n"]')
    assert note.startswith("routes[0].model: is not among")


@pytest.mark.parametrize(
    "addition",
    [
        "[[routes]]\ntarget_quality=0.8",
        '[[routes]]\npolicy="segment"\nbudget_usd_per_request=0.01',
        '[[routes]]\npolicy="thompson"\nquality_weight=1\ncost_weight=10\nlatency_weight=0.1',
        '[[routes]]\npolicy="knn"\nfeatures=["f"]',
        '[[routes]]\npolicy="tier-rules"\nstart_tier="cheap"\nprobe_share=0',
        '[[routes]]\nmatch="a/*"\n[[routes]]',
        '[[routes]]\nmatch="a?/*"\n[[routes]]\nmatch="a*/*"',
        '[[routes]]\nmatch="*b*"\n[[routes]]\nmatch="[a-c]/x"',
        '[[agents]]\nid="a"\nrequired=["coding"]',
    ],
)
def test_what_is_meant_is_left_alone(addition: str) -> None:
    assert notes(SOUND + addition) == []


def test_an_empty_file_decides_nothing() -> None:
    assert notes("") == ["models: there is none, so nothing can be decided"]


def test_a_key_that_is_not_set_is_named() -> None:
    (note,) = notes(SOUND, environment={"P_KEY": " "})
    assert note == "providers[0].api_key_env: the environment variable P_KEY is not set here"


@pytest.mark.parametrize(
    ("host", "open_"),
    [("p.example", True), ("10.0.0.1", True), ("localhost", False), ("127.0.0.1:1", False), ("[::1]:1", False)],
)
def test_a_key_in_clear_over_the_network(host: str, open_: bool) -> None:  # noqa: FBT001 - a table's column
    found = notes(SOUND.replace("https://p.example", f"http://{host}"))
    assert len(found) == open_
