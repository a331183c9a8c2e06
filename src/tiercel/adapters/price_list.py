"""Prices of models, from the data that the genai-prices library carries. Nothing is fetched."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from tiercel.domain.catalogue import Price

_MTOK = 1_000_000


def price_of(model: str, provider_id: str = "", base_url: str = "", *, at: datetime) -> tuple[Price, str] | None:
    """The price of a model at a time, and where in the list it stands; None where the list does not know it.

    Looked for at the provider by id, at the provider by address, then by the model's name at whoever makes it. Where
    the price depends on the length of the prompt, it is that of short ones.
    """
    # the list of 2,000 models takes 0.3 s to import, and a catalogue with all its prices never needs it
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    places = [partial(calc_price, provider_id=provider_id)] if provider_id else []
    places += [partial(calc_price, provider_api_url=base_url)] if base_url else []
    for look_up in (*places, partial(calc_price)):
        try:
            found = look_up(Usage(input_tokens=1, output_tokens=1), model, genai_request_timestamp=at)
        except LookupError:
            continue
        if found.model_price.input_mtok is not None:
            price = Price(float(found.input_price * _MTOK), float(found.output_price * _MTOK))
            return price, f"genai-prices: {found.provider.id}/{found.model.id}"
    return None
