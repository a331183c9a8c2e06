"""The ways to give each agent a model, over a matrix of scores: one row per agent, one column per model.

Each returns the column of every row, None for an agent that goes without. A score of 0 is never chosen, and a tie goes
to the leftmost column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tiercel.core.capability import SCORE_DIGITS
from tiercel.domain.errors import InvalidInput, MissingDependency, Problem
from tiercel.domain.matching import Penalty

Scores = Sequence[Sequence[float]]
Chosen = list[int | None]
Penalties = tuple[Penalty, ...]

Capacity = int | None | Mapping[str, int | None]
"""How many agents a model may have: the same for all, or per model id (1 for those not named). None: any number."""

REUSE_POINTS = 5.0
LOAD_SHARE = 0.3
OVERLOAD_FACTOR = 0.8


def capacities(capacity: Capacity, model_ids: Sequence[str]) -> list[int | None]:
    """The capacity of each model, in their order. Raises `InvalidInput` for a bad number or an unknown model."""
    named = capacity if isinstance(capacity, Mapping) else dict.fromkeys(model_ids, capacity)
    _check("capacity", {model_id: 0 if limit is None else limit for model_id, limit in named.items()}, model_ids)
    return [named.get(model_id, 1) for model_id in model_ids]


def loads(load: Mapping[str, int], model_ids: Sequence[str]) -> list[int]:
    """How many agents each model has already (0 unless named). Raises `InvalidInput` as `capacities` does."""
    _check("load", load, model_ids)
    return [load.get(model_id, 0) for model_id in model_ids]


def _check(path: str, numbers: Mapping[str, int], model_ids: Sequence[str]) -> None:
    problems = [
        Problem(f"{path}.{model_id}", "is not one of the models", repr(model_id), "unknown")
        for model_id in numbers
        if model_id not in model_ids
    ]
    problems += [
        Problem(f"{path}.{model_id}", "must be a whole number of 0 or more", repr(number), "range")
        for model_id, number in numbers.items()
        if isinstance(number, bool) or not isinstance(number, int) or number < 0
    ]
    if problems:
        raise InvalidInput(problems)


def _best(worths: Iterable[tuple[int, float]]) -> int | None:
    column, _ = max(worths, key=lambda worth: worth[1], default=(None, 0.0))
    return column


def greedy(scores: Scores) -> Chosen:
    """Each agent its best model, whatever the others have."""
    return [_best((j, score) for j, score in enumerate(row) if score > 0) for row in scores]


def balanced(scores: Scores) -> Chosen:
    """Agents in order, a model losing 5 points per agent it was given before. No agent goes without for balance."""
    uses: Counter[int | None] = Counter()
    chosen: Chosen = []
    for row in scores:
        chosen.append(_best((j, score - REUSE_POINTS * uses[j]) for j, score in enumerate(row) if score > 0))
        uses[chosen[-1]] += 1
    return chosen


def optimal(scores: Scores, capacity: Sequence[int | None]) -> Chosen:
    """The assignment of greatest total score within the capacities.

    Source: the rectangular linear sum assignment problem, solved by scipy (Crouse, "On implementing 2D rectangular
    assignment algorithms", 2016) over one column per free place. Time O(agents^2 * places), memory O(agents * places),
    where places are at most models * agents. Raises `MissingDependency` without scipy.
    """
    agents = len(scores)
    places = [j for j, limit in enumerate(capacity) for _ in range(agents if limit is None else min(limit, agents))]
    chosen: Chosen = [None] * agents
    if not places:
        return chosen
    try:
        # optional, and importing it takes longer than importing all of tiercel
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency("scipy", "optimal", "the optimal assignment") from error
    rows, columns = linear_sum_assignment([[row[j] for j in places] for row in scores], maximize=True)
    for i, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if scores[i][places[column]] > 0:
            chosen[i] = places[column]
    _settle(chosen, scores, capacity)
    return chosen


def _settle(chosen: Chosen, scores: Scores, capacity: Sequence[int | None]) -> None:
    # of several greatest totals the solver takes any; this takes every tie to the leftmost model that has room
    used = Counter(chosen)
    moved = True
    while moved:
        moved = False
        for i, held in enumerate(chosen):
            if held is None:
                continue
            tied = (j for j in range(held) if scores[i][j] == scores[i][held] and _has_room(used[j], capacity[j]))
            column = next(tied, held)
            if column != held:
                chosen[i] = column
                used[held] -= 1
                used[column] += 1
                moved = True


def _has_room(used: int, limit: int | None) -> bool:
    return limit is None or used < limit


def load_penalties(utilisation: float, target: float) -> Penalties:
    """What a model in use (0..1 of its capacity) loses: up to 30 % by load, and a fifth more above `target`."""
    penalties = (Penalty("load", 1.0 - LOAD_SHARE * utilisation),) if utilisation > 0 else ()
    return (*penalties, Penalty("over_target", OVERLOAD_FACTOR)) if utilisation > target else penalties


def load_aware(
    scores: Scores, capacity: Sequence[int | None], load: Sequence[int], target: float
) -> tuple[Chosen, list[Penalties]]:
    """Agents in order, each the model that is best for its load; a full one takes no more.

    `load` is how many agents each model has already; every choice adds one. With the columns come the penalties that
    the chosen scores bear. A model of unlimited capacity is never loaded.
    """
    used = list(load)
    chosen: Chosen = []
    burdens: list[Penalties] = []
    for row in scores:
        due = {
            j: load_penalties(used[j] / limit if limit else 0.0, target)
            for j, limit in enumerate(capacity)
            if row[j] > 0 and _has_room(used[j], limit)
        }
        column = _best((j, penalised(row[j], penalties)) for j, penalties in due.items())
        if column is not None:
            used[column] += 1
        chosen.append(column)
        burdens.append(() if column is None else due[column])
    return chosen, burdens


def penalised(score: float, penalties: Penalties) -> float:
    """`score` times every factor."""
    for penalty in penalties:
        score *= penalty.factor
    return round(score, SCORE_DIGITS)
