"""The replay: requests in an order drawn from a seed, each decided, carried out and some of them rated.

The order of the queries, the numbers that choices are drawn with and the coins that say which answers are rated depend
on the seed and the repeat alone: all policies get the same ones, so that they can be compared pair by pair.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tiercel.core.policies.base import Policy
from tiercel.core.replay.books import Books, Features, Terms
from tiercel.core.replay.catalogue import profiles
from tiercel.core.replay.table import OutcomeTable, Query, Recorded
from tiercel.core.replay.world import Applied, Offer, World
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.events import Event, StandingChange


class Step(NamedTuple):
    """One request of a trace. Models are indices into the table's; `probabilities` has one for each of them.

    `offer` is what each of them would have done. `rated` says whether the answer was to be rated. `decide_ns` is 0
    where nobody measured.
    """

    query: Query
    offer: Offer
    chosen: int
    greedy: int
    probabilities: tuple[float, ...]
    rated: bool
    decide_ns: int

    @property
    def recorded(self) -> Recorded:
        """What the chosen model did."""
        return offered(self.offer, self.chosen)


def offered(offer: Offer, model: int) -> Recorded:
    """What a model that is there does."""
    recorded = offer[model]
    if recorded is None:
        raise ValueError(f"model {model} is not there")
    return recorded


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole replay: every request in order, the changes that came about, and what the policy's reviews changed."""

    models: tuple[str, ...]
    terms: Terms
    steps: tuple[Step, ...]
    changes: tuple[Applied, ...]
    standings: tuple[StandingChange, ...]


def _no_time() -> int:
    return 0


def replay(
    table: OutcomeTable,
    policy: Policy,
    terms: Terms | None = None,
    *,
    repeat: int = 0,
    warm: OutcomeTable | None = None,
    features: Features | None = None,
    timer_ns: Callable[[], int] = _no_time,
) -> Trace:
    """Let a fresh `policy` decide over the whole table once. Equal arguments give equal traces.

    `warm` has the same models in the same order and is learned from first: of each of its queries, what one model drawn
    evenly did. `timer_ns` is a clock for `Step.decide_ns`.
    """
    terms = terms or Terms()
    models = profiles(table)
    books = Books(policy, models, terms, features)
    if warm is not None:
        warm_up(books, warm, _chance(terms, repeat, "warm"))
    queries = _chance(terms, repeat, "order").sample(table.queries, terms.requests or len(table.queries))
    draws, coins = _chance(terms, repeat, "draws"), _chance(terms, repeat, "rated")
    world = World(table, models, terms.scenario, requests=len(queries), newcomer=terms.newcomer)
    index = {model_id: i for i, model_id in enumerate(table.models)}
    steps: list[Step] = []
    chosen: list[int] = []
    unrated: deque[tuple[int, Decision, float]] = deque()
    for number, query in enumerate(queries):
        world.reach(number, chosen)
        judging = terms.judging_at(number / len(queries))
        rated = coins.random() < terms.feedback_rate * judging.rate
        began_ns = timer_ns()
        decision = books.decide(query, world.eligible, rated=rated, uniform=draws.random())
        decide_ns = timer_ns() - began_ns
        offer, model = world.offer(query), index[decision.model]
        recorded = offered(offer, model)
        probabilities = _probabilities(decision.proposal, index)
        steps.append(Step(query, offer, model, index[decision.greedy], probabilities, rated, decide_ns))
        chosen.append(model)
        if rated:
            unrated.append((number + terms.delay, decision, recorded.quality * judging.factor))
        events: list[Event] = [decision, books.outcome(decision, recorded, world.profiles[model])]
        while unrated and unrated[0][0] <= number:
            _, subject, quality = unrated.popleft()
            events.append(books.rating(subject, quality))
        books.learn(events, world.profiles)
    return Trace(table.models, terms, tuple(steps), tuple(world.applied), tuple(books.standings))


def _chance(terms: Terms, repeat: int, purpose: str) -> random.Random:
    return random.Random(f"{terms.seed}/{repeat}/{purpose}")  # noqa: S311 - reproducible is the purpose


def _probabilities(proposal: Proposal, index: dict[str, int]) -> tuple[float, ...]:
    probabilities = [0.0] * len(index)
    for candidate in proposal.candidates:
        probabilities[index[candidate.model_id]] = candidate.probability
    return tuple(probabilities)


def warm_up(books: Books, warm: OutcomeTable, chance: random.Random) -> None:
    """Learn what one model, drawn evenly, did with each query; or what every model did."""
    share = 1 / len(books.models)
    candidates = tuple(Candidate(model.model_id, model.tier, share) for model in books.models)
    proposal = Proposal(candidates, candidates[0].model_id, "drawn evenly, before the replay")
    rate = books.terms.feedback_rate if books.terms.warm_rate is None else books.terms.warm_rate
    for query in chance.sample(warm.queries, len(warm.queries)):
        drawn = chance.randrange(len(candidates))
        rated = chance.random() < rate
        for model in range(len(candidates)) if books.terms.warm_full else (drawn,):
            recorded = query.recorded[model]
            decision = books.warm_decision(query, proposal, candidates[model])
            events: list[Event] = [decision, books.outcome(decision, recorded, books.models[model])]
            if rated:
                events.append(books.rating(decision, recorded.quality))
            books.learn(events, books.models)
