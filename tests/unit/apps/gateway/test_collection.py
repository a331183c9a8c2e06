"""However much a process keeps, a collection looks at little of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tiercel.apps.gateway.collection import MIDDLE, YOUNG

KEEPER = """
import gc, sys
from support.happenings import feedback
from tiercel.apps.gateway.collection import collect_in_small_steps

if sys.argv[1] == "small steps":
    collect_in_small_steps()
looked_at = []

def began(phase, about):
    if phase == "start":
        looked_at.append(sum(len(gc.get_objects(generation)) for generation in range(about["generation"] + 1)))

gc.callbacks.append(began)
kept = [feedback(f"{number}", metadata={"of": number}) for number in range(100_000)]
gc.callbacks.clear()
print(max(looked_at))
"""


def most_looked_at(how: str) -> int:
    said = subprocess.run(
        [sys.executable, "-c", KEEPER, how], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    return int(said.stdout)


def test_what_waits_is_not_looked_at_as_a_whole() -> None:
    assert most_looked_at("small steps") < (MIDDLE + 2) * YOUNG


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="from 3.14 on Python looks at the old in small steps itself")
def test_it_is_where_nothing_is_said() -> None:
    assert most_looked_at("as Python does") > 50_000
