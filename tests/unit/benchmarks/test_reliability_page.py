"""What tests report is what the page says, line by line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.reliability.page import page
from benchmarks.reliability.records import Record, kept, replaced
from benchmarks.reliability.rows import NAMES, SECTIONS

from support.reported import Reported

MET = Record("frozen", "decisions failed", "0 of 300", "0", True, "tests/x.py::test_a", "7", True, "< 0.01", "abc")


def test_a_report_is_kept_and_fails_the_test_when_the_target_is_not_met(tmp_path: Path) -> None:
    reported = Reported("tests/x.py::test_a", folder=tmp_path)
    reported.none("frozen", "decisions failed", of=300)
    with pytest.raises(AssertionError, match="3 of 300"):
        reported.none("frozen", "decisions failed", of=300, bad=3)
    with pytest.raises(AssertionError, match="nothing was tried"):
        reported.none("frozen", "decisions failed", of=0)
    reported.most("frozen", "longest", 60.0, 50.0, unit="ms", fails_at=100.0)
    with pytest.raises(AssertionError, match="longest: 120 ms"):
        reported.most("frozen", "longest", 120.0, 50.0, unit="ms", fails_at=100.0)
    found = [(record.figure, record.bound, record.met) for record in kept(tmp_path)]
    assert found == [
        ("0 of 300", "< 0.01", True),
        ("3 of 300", "", False),
        ("0 of 0", "", False),
        ("60 ms", "", False),
        ("120 ms", "", False),
    ]
    with pytest.raises(ValueError, match="no row 'frosen'"):
        reported.told("frosen", "x", "1")


def test_every_row_has_a_line_and_a_missed_target_is_said() -> None:
    shown = page([MET, replace(MET, figure="70 ms", met=False, full=False, seeds="", bound="")])
    rows = [row for section in SECTIONS.values() for row in section.values()]
    assert all(f"| {row.fault.replace('|', chr(92) + '|')} |" in shown for row in rows)
    assert shown.count("not measured yet") == len(NAMES) - 1
    assert "| decisions failed: **0 of 300** (< 0.01) | 0 | met | x.py::test_a at abc, seed 7 |" in shown
    assert "|  | decisions failed: **70 ms** | 0 | MISSED | x.py::test_a at abc, short size |" in shown


def test_what_a_test_reports_again_takes_the_place_of_what_it_reported() -> None:
    other = replace(MET, test="tests/x.py::test_b")
    again = replace(MET, figure="0 of 600")
    assert replaced([MET, MET, other], [again]) == [other, again]
