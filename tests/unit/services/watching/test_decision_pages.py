from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.happenings import SEGMENTS, decision
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import InvalidInput
from tiercel.services.watching.decision_pages import CHUNK, LOOK_BACK, Cursor, Wanted, decision_page


def stored(seconds: list[float]) -> MemoryStore:
    store = MemoryStore()
    store.append([decision(n, seconds=s, segment=SEGMENTS[n % 2]) for n, s in enumerate(seconds)], fold)
    return store


def walked(store: MemoryStore, limit: int, wanted: Wanted) -> list[str]:
    """Every page after another, as somebody follows the cursors."""
    found: list[str] = []
    before: Cursor | None = None
    while True:
        page = decision_page(store, limit, before=before, wanted=wanted)
        assert len(page.decisions) <= limit
        found += [made.id for made in page.decisions]
        if page.next is None:
            return found
        assert page.looked_at > 0
        before = Cursor.parse(str(page.next))


@given(st.lists(st.sampled_from([0.0, 1.0, 1.000001, 2.5]), max_size=40), st.integers(1, 7))
def test_pages_hold_every_decision_once_newest_first(seconds: list[float], limit: int) -> None:
    store = stored(seconds)
    newest = [made.id for made in store.recent_decisions(1_000)]
    assert walked(store, limit, Wanted()) == newest
    wanted = [f"dec_{n}" for n in range(len(seconds)) if n % 2]
    assert sorted(walked(store, limit, Wanted(workflow="a", stage="*"))) == sorted(wanted)


def test_new_decisions_do_not_move_the_pages() -> None:
    store = stored([float(n) for n in range(6)])
    first = decision_page(store, 2)
    store.append([decision(n, seconds=100.0 + n) for n in range(10, 20)], fold)
    second = decision_page(store, 2, before=first.next)
    assert [made.id for made in (*first.decisions, *second.decisions)] == ["dec_5", "dec_4", "dec_3", "dec_2"]


def test_one_page_looks_back_so_far_and_the_next_goes_on() -> None:
    store = stored([float(n) for n in range(LOOK_BACK + CHUNK)])
    rare = replace(decision(-1, seconds=-5.0), tier="rare", model="large", policy="fixed", agent_id="b")
    store.append([rare], fold)
    wanted = Wanted(tier="rare", model="large", policy="fixed", agent_id="b")
    page = decision_page(store, 5, wanted=wanted)
    assert (list(page.decisions), page.looked_at) == ([], LOOK_BACK)
    page = decision_page(store, 5, before=page.next, wanted=wanted)
    assert ([made.id for made in page.decisions], page.looked_at) == (["dec_-1"], CHUNK + 1)
    assert page.next is None


def test_the_last_page_says_so_even_where_it_is_full() -> None:
    page = decision_page(stored([1.0, 2.0]), 2)
    assert (len(page.decisions), page.next) == (2, None)


@pytest.mark.parametrize("text", ["", "x", "1", "-1-1", "1-", "1-1-1", "\uff11-1", "9" * 18 + "-1", "1-99999", "1-1\n"])
def test_what_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidInput, match="before"):
        Cursor.parse(text)
