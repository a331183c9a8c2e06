"""Routers and bandits that others wrote, as policies of the same replay: same queries, order, ratings and delays.

* paretobandit 0.1.1: its `BanditRouter` with its own pacer as its paper's experiments set them (soft and hard pacing,
  the actual cost of every call), cold, with the hyper-parameters it ships for that. Its own encoder is a model that has
  to be downloaded; here it gets what tiercel reads of a prompt, and in a second line the task's one-hot besides.
* vowpalwabbit 9: `--cb_explore_adf --squarecb` with task, text figures and model crossed, on quality - price x cost. It
  knows no budgets, so it runs at a grid of fixed prices, and the best whose spend met the budget is shown: a choice
  made in hindsight, which is generous.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, ClassVar

from tiercel.core.policies.base import BasePolicy, Policy, Situation, mixture
from tiercel.core.replay.table import OutcomeTable
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Decision, Proposal
from tiercel.domain.errors import TiercelError
from tiercel.domain.events import Event, Feedback, Outcome

PARETOBANDIT = "paretobandit"
PARETOBANDIT_TASK = "paretobandit + task"
SQUARECB = "vowpalwabbit squarecb"
PRICES = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Quality points per USD at which squarecb runs."""
_PACKAGES = {PARETOBANDIT: "pareto_bandit", PARETOBANDIT_TASK: "pareto_bandit", SQUARECB: "vowpalwabbit"}
OPPONENTS = tuple(_PACKAGES)
_PACER_RATE, _PACER_MOST = 0.05, 5.0
"""As in the experiments of ParetoBandit's paper."""


def missing(name: str) -> str:
    """Why an opponent cannot run here; "" where it can."""
    package = _PACKAGES[name]
    if find_spec(package) is not None:
        return ""
    return f"{package} is not installed: pip install --group bench"


def opponent(
    name: str, outcomes: OutcomeTable, models: Sequence[ModelProfile], *, budget_usd: float | None, price: float
) -> Policy:
    """A fresh opponent. Raises `TiercelError` where it is not installed."""
    reason = missing(name)
    if reason:
        raise TiercelError(reason)
    if name == SQUARECB:
        return SquareCB(outcomes, models, price)
    return ParetoBandit(outcomes, models, budget_usd, tasks=name == PARETOBANDIT_TASK)


class ParetoBandit(BasePolicy):
    """paretobandit's router; its decisions are certain, but for ties."""

    name: ClassVar[str] = PARETOBANDIT
    version: ClassVar[str] = "0.1.1"
    summary: ClassVar[str] = "LinUCB with a primal-dual budget pacer"
    reads_prompt: ClassVar[bool] = True
    keeps_books: ClassVar[bool] = True

    def __init__(
        self, outcomes: OutcomeTable, models: Sequence[ModelProfile], budget_usd: float | None, *, tasks: bool
    ) -> None:
        # opponents are of a group of their own, and heavy
        import numpy as np  # noqa: PLC0415
        from pareto_bandit import BanditRouter  # noqa: PLC0415
        from pareto_bandit.budget_pacer import BudgetPacer, PacingMode  # noqa: PLC0415
        from pareto_bandit.config import BEST_K3_TABULA_RASA_HPARAMS as SHIPPED  # noqa: PLC0415
        from pareto_bandit.feature_service import FeatureService  # noqa: PLC0415

        self._array: Callable[[Sequence[float]], Any] = np.asarray
        self._tasks = {task: i for i, task in enumerate(outcomes.tasks)} if tasks else {}
        self._pacer = (
            BudgetPacer(budget_usd, mode=PacingMode.ADAPTIVE, lr=_PACER_RATE, lambda_max=_PACER_MOST)
            if budget_usd is not None
            else None
        )
        registry = {model.model_id: _prices(model) for model in models}

        def build(size: int) -> Any:  # noqa: ANN401 - the package has no types
            return BanditRouter.create(
                model_registry=registry,
                feature_service=FeatureService.for_precomputed(size),
                priors="none",
                alpha=SHIPPED["alpha"],
                forgetting_factor=SHIPPED["forgetting_factor"],
                cost_penalty=0.0,
                budget_pacer=self._pacer,
                bandit_seed=0,
            )

        self._build = build
        self._router: Any = None
        self._under_way: set[str] = set()

    def propose(self, situation: Situation) -> Proposal:
        """Its choice, with certainty."""
        chosen, _ = self._ready(situation.vector).route(self._context(situation.vector, situation.request.stage))
        return mixture(situation.eligible, chosen, {}, 0.0, reason="paretobandit's choice")

    def decided(self, decision: Decision) -> None:
        """Its own decisions are those whose cost its pacer is told."""
        self._under_way.add(decision.id)

    def learned(self, events: Sequence[Event]) -> None:
        """Every rating is the bandit's, also of what was decided before it was there; every call's cost the pacer's."""
        for event in events:
            if isinstance(event, Outcome) and self._pacer is not None and event.decision_id in self._under_way:
                self._pacer.observe(event.cost_usd or 0.0)
            elif isinstance(event, Feedback):
                context = self._context(event.label.vector, event.segment[-1])
                own = event.decision_id in self._under_way
                self._ready(event.label.vector).update(event.model, context, event.quality, advance_time=not own)

    def _context(self, vector: Sequence[float], task: str) -> Any:  # noqa: ANN401 - an array
        return self._array([*vector[1:], *_one_hot(self._tasks, task), 1.0])

    def _ready(self, vector: Sequence[float]) -> Any:  # noqa: ANN401 - the package has no types
        if self._router is None:
            self._router = self._build(len(vector) + len(self._tasks))
        return self._router


class SquareCB(BasePolicy):
    """vowpalwabbit's squarecb on quality - price x cost, at a fixed price."""

    name: ClassVar[str] = SQUARECB
    version: ClassVar[str] = "9"
    summary: ClassVar[str] = "inverse-gap weighting over a linear regression"
    reads_prompt: ClassVar[bool] = True
    keeps_books: ClassVar[bool] = True

    def __init__(self, outcomes: OutcomeTable, models: Sequence[ModelProfile], price: float) -> None:
        # opponents are of a group of their own
        from vowpalwabbit import Workspace  # noqa: PLC0415

        options = "--cb_explore_adf --squarecb --cb_type mtr -q SA -q TA --quiet --random_seed 1"
        self._workspace = Workspace(options)
        self._price = price
        self._tasks = {task: i for i, task in enumerate(outcomes.tasks)}
        self._place = {model.model_id: i for i, model in enumerate(models)}
        self._shared = ""
        self._under_way: dict[str, tuple[str, Decision]] = {}
        self._spent: dict[str, float] = {}

    def propose(self, situation: Situation) -> Proposal:
        """Its probabilities."""
        self._shared = _shared(situation, self._tasks)
        actions = [f"|A m{self._place[model.model_id]}" for model in situation.eligible]
        weights: Sequence[float] = self._workspace.predict([self._shared, *actions])
        by_id = {model.model_id: weight for model, weight in zip(situation.eligible, weights, strict=True)}
        greedy = max(by_id, key=lambda model_id: by_id[model_id])
        others = {model_id: weight for model_id, weight in by_id.items() if model_id != greedy}
        share = sum(others.values()) / sum(by_id.values())
        return mixture(situation.eligible, greedy, others, share, reason="squarecb's probabilities")

    def decided(self, decision: Decision) -> None:
        """Keep what it was decided from."""
        self._under_way[decision.id] = self._shared, decision

    def learned(self, events: Sequence[Event]) -> None:
        """Learn minus the utility, once the rating is there."""
        for event in events:
            if isinstance(event, Outcome):
                self._spent[event.decision_id] = event.cost_usd or 0.0
            elif isinstance(event, Feedback):
                shared, decision = self._under_way.pop(event.decision_id)
                loss = self._price * self._spent[event.decision_id] - event.quality
                self._workspace.learn([shared, *self._actions(decision, loss)])

    def _actions(self, decision: Decision, loss: float) -> list[str]:
        actions = []
        for candidate in decision.proposal.candidates:
            seen = f"0:{loss:.6f}:{decision.propensity:.6f} " if candidate.model_id == decision.model else ""
            actions.append(f"{seen}|A m{self._place[candidate.model_id]}")
        return actions


def best_within(
    runs: Mapping[float, Sequence[Mapping[str, Any]]], budget_usd: float, *, most_spend: float
) -> tuple[float, Sequence[Mapping[str, Any]]] | None:
    """Of the runs at each price, those of the best mean quality whose mean spend met the budget; None if none did."""

    def mean(name: str, price: float) -> float:
        return sum(float(run[name]) for run in runs[price]) / len(runs[price])

    within = [price for price in runs if mean("cost_usd", price) <= most_spend * budget_usd]
    if not within:
        return None
    best = max(within, key=lambda price: mean("quality", price))
    return best, runs[best]


_LISTED = {"llama-3.1-8b": (0.10, 0.10), "mistral-large": (0.50, 1.50), "gemini-2.5-pro": (1.25, 10.0)}
"""USD per million prompt and completion tokens, as ParetoBandit's own registry has them."""


def _prices(model: ModelProfile) -> dict[str, float]:
    known = [price for name, price in _LISTED.items() if name in model.model_id]
    price = model.price
    per_m = known[0] if known else (price.input, price.output) if price else (0.0, 0.0)
    return {"input_cost_per_m": per_m[0], "output_cost_per_m": per_m[1]}


def _one_hot(tasks: Mapping[str, int], task: str) -> list[float]:
    here = tasks.get(task, -1)
    return [float(i == here) for i in range(len(tasks))]


def _shared(situation: Situation, tasks: Mapping[str, int]) -> str:
    figures = " ".join(f"f{i}:{value:.4f}" for i, value in enumerate(situation.vector[1:]))
    return f"shared |S t{tasks.get(situation.request.stage, 'none')} |T s{int(situation.vector[0])} {figures}"
