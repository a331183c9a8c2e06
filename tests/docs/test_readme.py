"""The README's program does what the README says it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text()
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


def test_the_program_prints_what_it_says(tmp_path: Path) -> None:
    program = README.split("```python\n")[1].split("```")[0]
    printed = README.split("```text\n")[1].split("```")[0]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert _TIME.sub("TIME", run.stdout) == _TIME.sub("TIME", printed)
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
