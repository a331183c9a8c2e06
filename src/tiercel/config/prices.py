"""Prices for the models that the file does not price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from tiercel.config.settings import Settings
from tiercel.domain.catalogue import Price

PriceLookUp = Callable[[str, str, str], tuple[Price, str] | None]
"""From a model's upstream name, its provider's id and that provider's base URL to a price and where it was found."""

FROM_FILE = "file"


class Priced(NamedTuple):
    """Settings with every price that could be found, and by model id where each came from."""

    settings: Settings
    sources: dict[str, str]


def with_prices(settings: Settings, look_up: PriceLookUp) -> Priced:
    """The settings with a price for each model that has none and is known to `look_up`."""
    addresses = {provider.id: provider.base_url for provider in settings.providers}
    sources = {model.model_id: FROM_FILE for model in settings.models if model.price is not None}
    models = []
    for model in settings.models:
        listed = None
        if model.price is None:
            listed = look_up(model.upstream, model.provider, addresses.get(model.provider, ""))
        if listed is None:
            models.append(model)
        else:
            price, sources[model.model_id] = listed
            models.append(replace(model, price=price))
    return Priced(replace(settings, models=tuple(models)), sources)
