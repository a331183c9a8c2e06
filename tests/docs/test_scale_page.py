"""docs/scale.md says what was measured and what follows from it, and nothing else."""

from __future__ import annotations

import re

from benchmarks.scale.__main__ import AGREED_S, PAGE, stored
from benchmarks.scale.model import Size
from benchmarks.scale.page import page
from benchmarks.scale.paper import checks, limits, read_constants

CONTENT = stored()
FIGURES = CONTENT["figures"]
KNOWN = read_constants(FIGURES["constants"])


def test_the_page_is_that_of_the_stored_figures() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(CONTENT)
    assert not re.search(r"\{\w*\}", PAGE.read_text(encoding="utf-8"))


def test_paper_and_measurement_differ_by_no_more_than_is_said() -> None:
    found = checks(KNOWN, Size(**FIGURES["size"]), FIGURES["run"], FIGURES["state"])
    assert [one for one in found if not one.holds] == []


def test_the_gateways_agreed_within_a_second() -> None:
    run = FIGURES["run"]
    assert run["states"] == 1
    assert run["agreed_after_s"] <= AGREED_S


def test_what_the_text_says_ends_first_does() -> None:
    assert limits(KNOWN)[0][0].startswith("memory for a day of log")


def test_what_the_text_says_of_taking_the_state_holds() -> None:
    one, many = FIGURES["away"]["1"], FIGURES["away"]["16"]
    assert one["taking_loads"] == many["taking_loads"] == 1
    assert one["taking_sent"] < one["reading_sent"]
    assert many["taking_sent"] > many["reading_sent"]
