"""The strategies against exhaustive search, and against what each promises."""

from collections import Counter
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.assignment.strategies import Chosen, balanced, greedy, load_aware, optimal

Table = list[list[float]]

# few distinct values make many ties, which is where an assignment goes wrong
score = st.sampled_from([0.0, 10.0, 20.0, 30.0]) | st.floats(0, 100)
limits = st.none() | st.integers(0, 3)


@st.composite
def tables(draw: st.DrawFn, agents: int = 4, models: int = 4) -> Table:
    width = draw(st.integers(0, models))
    return draw(st.lists(st.lists(score, min_size=width, max_size=width), max_size=agents))


def total(scores: Table, chosen: Chosen) -> float:
    return sum(row[j] for row, j in zip(scores, chosen, strict=True) if j is not None)


def fits(chosen: Chosen, capacity: list[int | None]) -> bool:
    used = Counter(j for j in chosen if j is not None)
    return all(limit is None or used[j] <= limit for j, limit in enumerate(capacity))


def width(scores: Table) -> int:
    return len(scores[0]) if scores else 0


@given(tables(), st.lists(limits, min_size=4, max_size=4))
def test_optimal_equals_exhaustive_search(scores: Table, limited: list[int | None]) -> None:
    capacity = limited[: width(scores)]
    columns: list[int | None] = [None, *range(width(scores))]
    best = max(total(scores, list(c)) for c in product(columns, repeat=len(scores)) if fits(list(c), capacity))
    chosen = optimal(scores, capacity)
    assert fits(chosen, capacity)
    assert abs(total(scores, chosen) - best) < 1e-9


@given(tables(8, 6), st.lists(limits, min_size=6, max_size=6))
def test_no_strategy_that_keeps_the_capacities_beats_optimal(scores: Table, limited: list[int | None]) -> None:
    capacity = limited[: width(scores)]
    spread, _ = load_aware(scores, capacity, [0] * width(scores), 0.8)
    assert fits(spread, capacity)
    assert total(scores, optimal(scores, capacity)) >= total(scores, spread) - 1e-9
    unlimited: list[int | None] = [None] * width(scores)
    best = total(scores, optimal(scores, unlimited))
    assert abs(best - total(scores, greedy(scores))) < 1e-9
    assert best >= total(scores, balanced(scores)) - 1e-9


@given(tables(8, 6), st.lists(limits, min_size=6, max_size=6))
def test_ties_go_left_and_zero_is_never_chosen(scores: Table, limited: list[int | None]) -> None:
    capacity = limited[: width(scores)]
    loaded, _ = load_aware(scores, capacity, [0] * width(scores), 0.8)
    best = optimal(scores, capacity)
    for chosen in (greedy(scores), balanced(scores), loaded, best):
        assert all(j is None or row[j] > 0 for row, j in zip(scores, chosen, strict=True))
    used = Counter(best)
    for row, j in zip(scores, best, strict=True):
        for left in range(j or 0):
            limit = capacity[left]
            assert row[left] != row[j or 0] or (limit is not None and used[left] >= limit)
    for row, j in zip(scores, greedy(scores), strict=True):
        assert j is None or (row[j] == max(row) and row[j] not in row[:j])


@given(st.integers(1, 30), st.lists(st.floats(1, 100), min_size=1, max_size=6))
def test_balanced_gives_equal_agents_models_within_one_step(agents: int, row: list[float]) -> None:
    used = Counter(balanced([row] * agents))
    adjusted = [value - 5.0 * used[j] for j, value in enumerate(row)]
    assert sum(used.values()) == agents
    # no model in use has come to stand more than one step below what another one offers
    assert all(adjusted[j] >= max(adjusted) - 5.0 - 1e-9 for j in used if j is not None)


@given(tables(8, 6), st.lists(limits, min_size=6, max_size=6))
def test_the_same_input_has_the_same_answer(scores: Table, limited: list[int | None]) -> None:
    capacity = limited[: width(scores)]
    assert optimal(scores, capacity) == optimal([list(row) for row in scores], list(capacity))
