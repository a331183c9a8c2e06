"""What the log holds of decisions, read through the store's port and without changing anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Decision
from tiercel.domain.events import Event, Feedback, Outcome, StandingChange
from tiercel.ports import Store

_READ = 1_000


@dataclass(frozen=True, slots=True)
class History:
    """What a log holds of decisions, in the order in which they were made, and of what became of them.

    `ratings` are those in force; `strays` the ratings of a stage's tier or model, not of a decision; `standings` what
    policies concluded.
    """

    decisions: tuple[Decision, ...]
    outcomes: Mapping[str, Sequence[Outcome]]
    ratings: Mapping[str, Sequence[Feedback]]
    strays: tuple[Feedback, ...] = ()
    standings: tuple[StandingChange, ...] = ()


def read_history(store: Store) -> History:
    """Everything the log still holds. Raises `StoreError`."""
    return history_of(log_events(store))


def history_of(events: Iterable[Event]) -> History:
    """What events say, which come in the order of the log."""
    decisions: dict[str, Decision] = {}
    outcomes: dict[str, list[Outcome]] = {}
    ratings: dict[str, dict[str, Feedback]] = {}
    strays: list[Feedback] = []
    standings: list[StandingChange] = []
    for event in events:
        if isinstance(event, Decision):
            decisions[event.id] = event
        elif isinstance(event, Outcome):
            outcomes.setdefault(event.decision_id, []).append(event)
        elif isinstance(event, StandingChange):
            standings.append(event)
        elif isinstance(event, Feedback) and not event.decision_id:
            strays.append(event)
        elif isinstance(event, Feedback):
            of_sources = ratings.setdefault(event.decision_id, {})
            held = of_sources.get(event.source)
            if held is None or held.recorded_at < event.recorded_at:
                of_sources[event.source] = event
    return History(
        tuple(sorted(decisions.values(), key=lambda decision: decision.decided_at)),
        outcomes,
        {decision_id: tuple(of_sources.values()) for decision_id, of_sources in ratings.items()},
        tuple(strays),
        tuple(standings),
    )


def log_events(store: Store) -> Iterator[Event]:
    """Everything the log still holds, in its order. Raises `StoreError`."""
    position = store.oldest()
    while True:
        events, position = store.events_after(position, _READ)
        if not events:
            return
        yield from events


def models_of(history: History, known: Sequence[ModelProfile] = ()) -> tuple[ModelProfile, ...]:
    """`known`, and after them the other models the log speaks of, as far as it does: their ids and tiers."""
    models = {model.model_id: model for model in known}
    for decision in history.decisions:
        for candidate in decision.proposal.candidates:
            if candidate.model_id not in models:
                models[candidate.model_id] = ModelProfile(model_id=candidate.model_id, tier=candidate.tier)
    return tuple(models.values())
