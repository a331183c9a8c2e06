"""An outcome table: for every query, what each of the models did with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from tiercel.domain.errors import InvalidInput, Problem

_SHOWN = 5


class Recorded(NamedTuple):
    """What one model did with one query: quality 0..1; what the source does not have is None."""

    quality: float
    cost_usd: float | None = None
    latency_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One row of a table as it was read; `where` says which ("row 17"), for messages."""

    query_id: str
    model: str
    recorded: Recorded
    task: str = ""
    prompt: str = ""
    split: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """One query; `recorded[i]` is what the table's i-th model did with it."""

    id: str
    task: str
    prompt: str
    recorded: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """A model's means over a table's queries; None where not every query has the figure."""

    model_id: str
    quality: float
    cost_usd: float | None
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class OutcomeTable:
    """Queries that all have an outcome of every model, the models in the order of their mean cost.

    `split` is the one the queries are of ("" for all). `incomplete` counts the queries left out because one of the
    models has no row, or no cost where the others have. Costs are known for every query or for none (`has_costs`).
    """

    models: tuple[str, ...]
    queries: tuple[Query, ...]
    split: str = ""
    incomplete: int = 0

    @property
    def has_costs(self) -> bool:
        """Whether what a call cost is known."""
        return self.queries[0].recorded[0].cost_usd is not None

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks, in the order in which they first appear."""
        return tuple(dict.fromkeys(query.task for query in self.queries))

    def figures(self) -> tuple[ModelFigures, ...]:
        """Every model's means, in the order of `models`."""
        return tuple(_figures(model_id, self.queries, index) for index, model_id in enumerate(self.models))


def mean_or_none(values: Iterable[float | None]) -> float | None:
    """The mean, or None where there is nothing or something is not known."""
    known: list[float] = []
    for value in values:
        if value is None:
            return None
        known.append(value)
    return fmean(known) if known else None


def table_of(rows: Iterable[OutcomeRow], *, split: str = "", models: Sequence[str] = ()) -> OutcomeTable:
    """The table of the rows of `split` ("": all) and of `models` (empty: all there are).

    A model may be named by what stands after the last "/" of its id, where that is no other's. Raises `InvalidInput`
    for a split or model that is not in the rows, for two rows of one query and model, and where no query is left.
    """
    rows = list(rows)
    chosen = [row for row in rows if not split or row.split == split]
    if not chosen:
        there = sorted({row.split for row in rows if row.split})
        said = f"must be one of {', '.join(there)}" if there else "no row has a split"
        raise InvalidInput([Problem("split", said, repr(split), "unknown")] if rows else "the table has no rows")
    known = tuple(dict.fromkeys(row.model for row in chosen))
    names = tuple(model_named(name, known) for name in models) if models else known
    if len(set(names)) < len(names):
        raise InvalidInput([Problem("models", "must be different models", ", ".join(models))])
    by_query = _by_query(row for row in chosen if row.model in set(names))
    whole = [group for group in by_query.values() if len(group) == len(names)]
    costed = [group for group in whole if all(row.recorded.cost_usd is not None for row in group.values())]
    kept = costed or [{name: _without_cost(row) for name, row in group.items()} for group in whole]
    if not kept:
        raise InvalidInput(f"no query has a row of every model ({', '.join(names)}): choose fewer with --models")
    queries = tuple(_query(group, names) for group in kept)
    order = sorted(range(len(names)), key=lambda i: _figures(names[i], queries, i).cost_usd or 0.0)
    return OutcomeTable(
        models=tuple(names[i] for i in order),
        queries=tuple(Query(q.id, q.task, q.prompt, tuple(q.recorded[i] for i in order)) for q in queries),
        split=split,
        incomplete=len(by_query) - len(kept),
    )


def _figures(model_id: str, queries: Sequence[Query], index: int) -> ModelFigures:
    recorded = [query.recorded[index] for query in queries]
    return ModelFigures(
        model_id,
        fmean(r.quality for r in recorded),
        mean_or_none(r.cost_usd for r in recorded),
        mean_or_none(r.latency_ms for r in recorded),
    )


def model_named(name: str, known: Sequence[str], *, path: str = "models") -> str:
    """The model of that id, or the one whose id ends in "/" and `name`. Raises `InvalidInput`, about `path`."""
    if name in known:
        return name
    ending = [model for model in known if model.rpartition("/")[2] == name]
    if len(ending) == 1:
        return ending[0]
    raise InvalidInput([Problem(path, f"must be among {', '.join(known)}", repr(name), "unknown")])


def _by_query(rows: Iterable[OutcomeRow]) -> dict[tuple[str, str], dict[str, OutcomeRow]]:
    """The rows of each query by model; a query of two splits is two queries."""
    by_query: dict[tuple[str, str], dict[str, OutcomeRow]] = {}
    problems: list[Problem] = []
    for row in rows:
        group = by_query.setdefault((row.split, row.query_id), {})
        first = group.get(row.model)
        if first is not None:
            said = f"{row.model} has a row for query {row.query_id!r} already: {first.where}"
            problems.append(Problem(row.where, said))
        group[row.model] = row
    if problems:
        raise InvalidInput(shortened(problems))
    return by_query


def shortened(problems: Sequence[Problem]) -> list[Problem]:
    """The first few problems, and how many more there are: a table may be wrong in every row."""
    rest = len(problems) - _SHOWN
    return [*problems[:_SHOWN], *([Problem("", f"and {rest} more")] if rest > 0 else [])]


def _without_cost(row: OutcomeRow) -> OutcomeRow:
    recorded = row.recorded._replace(cost_usd=None)
    return OutcomeRow(row.query_id, row.model, recorded, row.task, row.prompt, row.split, row.where)


def _query(group: dict[str, OutcomeRow], names: Sequence[str]) -> Query:
    first = group[names[0]]
    prompt = next((row.prompt for row in group.values() if row.prompt), "")
    return Query(first.query_id, first.task, prompt, tuple(group[name].recorded for name in names))
