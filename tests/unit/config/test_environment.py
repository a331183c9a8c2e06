from __future__ import annotations

import pytest

from tiercel.config.environment import access_keys, provider_keys, store_url
from tiercel.config.settings import KeySettings, ProviderSettings, Settings
from tiercel.domain.access import Role
from tiercel.domain.errors import ConfigurationError

SETTINGS = Settings(
    providers=(
        ProviderSettings(id="a", base_url="https://a", api_key_env="A_KEY"),
        ProviderSettings(id="b", base_url="https://b", api_key_env="B_KEY"),
        ProviderSettings(id="c", base_url="https://c"),
    )
)


@pytest.mark.parametrize(("value", "url"), [("memory://", "memory://"), ("", None), (" ", None)])
def test_the_store_named_by_the_environment(value: str, url: str | None) -> None:
    assert store_url({"TIERCEL_STORE": value}) == url
    assert store_url({}) is None


def test_each_provider_gets_its_own_key_only() -> None:
    assert provider_keys(SETTINGS, {"A_KEY": "x", "B_KEY": " y\n", "C": "z"}) == {"a": "x", "b": "y", "c": ""}


def test_every_missing_key_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        provider_keys(SETTINGS, {"B_KEY": " "})
    assert [problem.path for problem in caught.value.problems] == [
        "providers[0].api_key_env",
        "providers[1].api_key_env",
    ]
    assert "A_KEY is not set" in str(caught.value)


KEYS = Settings(
    keys=tuple(KeySettings(name=name, key_env=f"{name.upper()}_KEY", role=Role.VIEWER) for name in ("a", "b", "c"))
)


def test_the_keys_for_the_gateway_by_name() -> None:
    environment = {"A_KEY": "a" * 16, "B_KEY": f" {'b' * 40}\n", "C_KEY": "c" * 17}
    assert access_keys(KEYS, environment) == {"a": "a" * 16, "b": "b" * 40, "c": "c" * 17}
    assert access_keys(Settings(), {}) == {}


@pytest.mark.parametrize(
    ("environment", "wrong"),
    [
        ({}, {"keys[0]": "is not set", "keys[1]": "is not set", "keys[2]": "is not set"}),
        (
            {"A_KEY": " ", "B_KEY": "CANARY" * 3, "C_KEY": "CANARY-CANARY-1"},
            {"keys[0]": "not set", "keys[2]": "holds 15"},
        ),
        ({"A_KEY": "CANARY" * 3, "B_KEY": "CANARY" * 3, "C_KEY": "c" * 16}, {"keys[1]": "the same key as another"}),
        (
            {"A_KEY": "CANARY and blanks", "B_KEY": "CANARY-\xe9-CANARY-1", "C_KEY": "CANARY-CANARY\n-1"},
            {f"keys[{i}]": "no header can carry" for i in range(3)},
        ),
    ],
)
def test_every_key_that_will_not_do_is_named_and_none_is_shown(
    environment: dict[str, str], wrong: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        access_keys(KEYS, environment)
    assert "CANARY" not in str(caught.value)
    found = {problem.path.removesuffix(".key_env"): problem.message for problem in caught.value.problems}
    assert found.keys() == wrong.keys()
    assert all(wrong[path] in message for path, message in found.items())
