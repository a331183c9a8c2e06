"""docs/reliability.md says what was measured, and nothing else."""

from __future__ import annotations

from benchmarks.reliability.__main__ import PAGE, stored
from benchmarks.reliability.page import page


def test_the_page_is_that_of_the_stored_figures() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(stored())
