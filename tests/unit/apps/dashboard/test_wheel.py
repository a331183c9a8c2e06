"""The dashboard is in the wheel: who installs tiercel has it, with nothing to build."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

from tiercel.apps.dashboard import pages

REPOSITORY = Path(__file__).parents[4]


def test_the_wheel_carries_every_file_and_the_licences_of_others(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(REPOSITORY)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as held:
        names = set(held.namelist())
    folder = "tiercel/apps/dashboard/files"
    assert {f"{folder}/{name}" for name in pages.names()} <= names
    assert f"{folder}/vendor/uplot/LICENSE" in names
