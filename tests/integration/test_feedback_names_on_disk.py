"""Names are only names, on disk too: no character of one reaches the ratings of another."""

from __future__ import annotations

from pathlib import Path

from tiercel.library.feedback_loop import FeedbackLoop

NAMES = [
    "*",
    "%",
    "_",
    "a",
    "a:b",
    "b",
    "A",
    "a*",
    "[ab]",
    "?",
    "'",
    '"; --',
    "\x00",
    "a\x00",
    "\x1f",
    "\n",
    "ü",
    "u\u0308",
]


def test_names_never_leak_on_disk(tmp_path: Path) -> None:
    pairs = [(workflow, stage) for workflow in NAMES for stage in ("a", "*", "b:a", "\x00")]
    with FeedbackLoop(f"sqlite:///{tmp_path / 'feedback.db'}") as loop:
        given = {pair: loop.record_feedback(*pair, "cheap", 0.5) for pair in pairs}
        for (workflow, stage), feedback_id in given.items():
            (entry,) = loop.get_feedback_history(workflow, stage)
            assert (entry.feedback_id, entry.workflow_name, entry.stage_name) == (feedback_id, workflow, stage)
        assert len(loop.get_underperforming_stages("*")) == 4
        assert loop.clear_feedback("*", "*") == 1
        assert loop.clear_feedback("%") == 4
        assert sum(len(loop.get_feedback_history(*pair)) for pair in pairs) == len(pairs) - 5
