"""A table's models as a catalogue: what a cold start may know of them.

Nothing of their quality: all have the same capability. Their tiers follow from the order of their mean costs, which a
price list would tell as well: with n models in n // 3 cheap, then capable, then premium ones as nearly as it divides,
the cheaper tiers having one more where it does not; two models are cheap and premium, one is capable.
"""

from __future__ import annotations

from statistics import fmean

from tiercel.core.beliefs.costs import USUAL_COMPLETION_TOKENS
from tiercel.core.replay.table import OutcomeTable, Recorded
from tiercel.domain.catalogue import DEFAULT_TIERS, ModelProfile, Price

NEUTRAL_CAPABILITY = 0.5
_CONTEXT_TOKENS = 10**9
"""Every model of a table has answered every query, however long."""
_PRICE_ERROR = 0.02


def profiles(table: OutcomeTable) -> tuple[ModelProfile, ...]:
    """The models of a table, in its order (cheapest first).

    A model has the price that explains its costs by its tokens to 2 %. Where none does, its mean cost stands for the
    price list: an ordinary answer (`USUAL_COMPLETION_TOKENS`) costs as much, and `tokens_of` counts in its tokens.
    """
    return tuple(
        ModelProfile(
            model_id=model_id,
            capabilities={"general": NEUTRAL_CAPABILITY},
            context_length=_CONTEXT_TOKENS,
            tier=tier_of(rank, len(table.models)),
            price=fitted_price(recorded) or _listed(recorded),
        )
        for rank, model_id in enumerate(table.models)
        for recorded in [[query.recorded[rank] for query in table.queries]]
    )


def tier_of(rank: int, models: int) -> str:
    """The tier of the model of that rank by mean cost (0: the cheapest)."""
    cheap, capable, premium = DEFAULT_TIERS
    if models < 3:
        return capable if models == 1 else (cheap, premium)[rank]
    return (cheap, capable, premium)[rank * 3 // models]


def tokens_of(recorded: Recorded, price: Price | None) -> tuple[int | None, int | None]:
    """The prompt and completion tokens of a call; where they are unknown, as many as its cost buys at `price`."""
    if recorded.completion_tokens is None and recorded.cost_usd is not None and price is not None and price.output > 0:
        return 0, round(recorded.cost_usd / price.output * 1e6)
    return recorded.prompt_tokens, recorded.completion_tokens


def _listed(recorded: list[Recorded]) -> Price | None:
    costs = [r.cost_usd for r in recorded if r.cost_usd is not None]
    return Price(0.0, fmean(costs) / USUAL_COMPLETION_TOKENS * 1e6) if costs and len(costs) == len(recorded) else None


def fitted_price(recorded: list[Recorded]) -> Price | None:
    """The price per token that explains what the calls cost, by least squares; None where none does to 2 %."""
    calls = [
        (r.prompt_tokens, r.completion_tokens, r.cost_usd)
        for r in recorded
        if r.prompt_tokens is not None and r.completion_tokens is not None and r.cost_usd is not None
    ]
    if not calls or len(calls) < len(recorded):
        return None
    pp = float(sum(p * p for p, _, _ in calls))
    pc = float(sum(p * c for p, c, _ in calls))
    cc = float(sum(c * c for _, c, _ in calls))
    pu, cu = sum(p * usd for p, _, usd in calls), sum(c * usd for _, c, usd in calls)
    determinant = pp * cc - pc * pc
    if determinant <= 1e-9 * pp * cc:
        return None
    price = Price(1e6 * (pu * cc - cu * pc) / determinant, 1e6 * (cu * pp - pu * pc) / determinant)
    error = fmean(abs(price.cost_usd(p, c) - usd) for p, c, usd in calls)
    fits = min(price.input, price.output) >= 0 and error <= _PRICE_ERROR * fmean(usd for _, _, usd in calls)
    return price if fits else None
