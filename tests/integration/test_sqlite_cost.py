"""What is asked while requests are served costs the same however much history there is, in steps of SQLite's machine.

Known fault 12 of the originals: scans of the whole key space per recommendation.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from support.happenings import decision, feedback, outcome
from tiercel.adapters.sqlite_store import SqliteStore, database
from tiercel.core.statistics.fold import fold
from tiercel.domain.events import Event
from tiercel.domain.request import stage_segment

SIZES = (400, 6_000)
END = {f"{size}.db": 3 * size for size in SIZES}
TIERS = ("cheap", "capable", "premium")
QUESTIONS: dict[str, Callable[[SqliteStore], object]] = {
    "history of a stage": lambda store: store.feedback_history("work", "1", None, 20),
    "history of a tier": lambda store: store.feedback_history("work", "1", "cheap", 20),
    "rated tiers": lambda store: store.rated_tiers("work"),
    "a decision": lambda store: store.decision("dec_7"),
    "decision of a completion": lambda store: store.decision_of_completion("cmpl_7"),
    "recent decisions": lambda store: store.recent_decisions(20),
    "what is new": lambda store: store.events_after((END[store.path.name] - 5,), 100),
    "a repeated rating": lambda store: store.append(
        [feedback("f7", seconds=7, segment=stage_segment("work", "1"))], fold
    ),
    "a revision": lambda store: store.append([feedback("again", seconds=9e6, decision_id="dec_8", source="u")], fold),
}


class Steps:
    """Counts the steps of every connection opened while it is in place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = 0
        connect = database.Database._connect

        def counted(it: database.Database) -> sqlite3.Connection:
            connection = connect(it)
            connection.set_progress_handler(self._step, 1)
            return connection

        monkeypatch.setattr(database.Database, "_connect", counted)

    def _step(self) -> int:
        self.taken += 1
        return 0

    def of(self, store: SqliteStore, question: Callable[[SqliteStore], object]) -> int:
        before = self.taken
        question(store)
        return self.taken - before


def history(start: int, stop: int) -> list[Event]:
    return [
        event
        for n in range(start, stop)
        for event in (
            decision(n, seconds=n, segment=stage_segment("work", str(n % 4))),
            outcome(n, seconds=n, segment=stage_segment("work", str(n % 4)), completion_id=f"cmpl_{n}"),
            feedback(
                f"f{n}",
                seconds=n,
                segment=stage_segment("work", str(n % 4)),
                tier=TIERS[n % 3],
                decision_id=f"dec_{n}" if n % 2 else "",
                source="u",
            ),
        )
    ]


def test_known_fault_12_no_question_scans_the_history(tmp_path: Path) -> None:
    counted: dict[int, dict[str, int]] = {}
    for size in SIZES:
        with pytest.MonkeyPatch.context() as monkeypatch:
            store = SqliteStore(tmp_path / f"{size}.db", learn_every=500)
            store.append(history(0, size), fold)
            store.close()
            steps = Steps(monkeypatch)
            store = SqliteStore(tmp_path / f"{size}.db", learn_every=500)
            counted[size] = {name: steps.of(store, question) for name, question in QUESTIONS.items()}
            store.close()
    for name in QUESTIONS:
        assert counted[6_000][name] <= 1.2 * counted[400][name] + 20, name
