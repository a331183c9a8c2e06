"""The list's figures change with its releases, so these compare places and relations, not prices."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tiercel.adapters.price_list import price_of

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("provider_id", "base_url", "place"),
    [
        ("openai", "", "genai-prices: openai/gpt-4o-mini"),
        ("mine", "https://api.openai.com/v1", "genai-prices: openai/gpt-4o-mini"),
        ("mine", "http://127.0.0.1:9/v1", "genai-prices: openai/gpt-4o-mini"),
        ("", "", "genai-prices: openai/gpt-4o-mini"),
        ("azure", "", "genai-prices: azure/gpt-4o-mini"),
    ],
)
def test_a_model_is_found_by_provider_then_address_then_name(provider_id: str, base_url: str, place: str) -> None:
    found = price_of("gpt-4o-mini", provider_id, base_url, at=AT)
    assert found is not None
    price, source = found
    assert source == place
    assert 0 < price.input < price.output < 10


def test_what_the_list_does_not_know_has_no_price() -> None:
    assert price_of("no-such-model", "openai", "https://api.openai.com/v1", at=AT) is None
    assert price_of("", at=AT) is None


def test_prices_with_tiers_give_the_price_of_short_prompts() -> None:
    found = price_of("gemini-2.5-pro", "google", at=AT)
    assert found is not None
    assert found[0].input == 1.25


def test_the_list_is_loaded_only_when_asked() -> None:
    check = "import sys, tiercel.adapters.price_list; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
