from __future__ import annotations

import pytest

from tiercel.config.environment import provider_keys, store_url
from tiercel.config.settings import ProviderSettings, Settings
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
