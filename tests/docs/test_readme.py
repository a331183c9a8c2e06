"""The README's program does what the README says it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text()
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def numbers(text: str) -> list[float]:
    return [float(number) for number in _NUMBER.findall(text)]


def test_the_program_prints_what_it_says(tmp_path: Path) -> None:
    program = README.split("```python\n")[1].split("```")[0]
    printed = README.split("```text\n")[1].split("```")[0]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    # when ratings are learned, and so the last digits of beliefs, depends on the machine
    assert _NUMBER.sub("#", run.stdout) == _NUMBER.sub("#", printed)
    assert numbers(run.stdout) == pytest.approx(numbers(printed), rel=0.1, abs=0.01)
    assert len(program.splitlines()) <= 20


def test_it_is_short() -> None:
    assert len(README.splitlines()) < 120


@pytest.mark.parametrize(
    "page",
    sorted(REPOSITORY.glob("*.md")) + sorted(REPOSITORY.glob("docs/**/*.md")),
    ids=lambda page: str(page.relative_to(REPOSITORY)),
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
