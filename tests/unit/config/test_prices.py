from __future__ import annotations

from tiercel.config.prices import with_prices
from tiercel.config.settings import ProviderSettings, Settings
from tiercel.domain.catalogue import ModelProfile, Price

SETTINGS = Settings(
    providers=(ProviderSettings(id="p", base_url="https://p.example"),),
    models=(
        ModelProfile(model_id="priced", price=Price(1, 2)),
        ModelProfile(model_id="listed", provider="p", upstream="up"),
        ModelProfile(model_id="unknown"),
    ),
)


def test_only_models_without_a_price_are_looked_up() -> None:
    asked = []

    def look_up(*question: str) -> tuple[Price, str] | None:
        asked.append(question)
        return (Price(3, 4), "a list") if question[0] == "up" else None

    settings, sources = with_prices(SETTINGS, look_up)
    assert asked == [("up", "p", "https://p.example"), ("unknown", "", "")]
    assert [model.price for model in settings.models] == [Price(1, 2), Price(3, 4), None]
    assert [model.model_id for model in settings.models] == ["priced", "listed", "unknown"]
    assert sources == {"priced": "file", "listed": "a list"}
