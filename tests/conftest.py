"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from support.reported import Reported

# No deadline: machines are shared, and a slow moment is no fault. Derandomised: the same examples every run, so that a
# red build means a changed program; `make fuzz` looks for new ones.
settings.register_profile("build", deadline=None, derandomize=True)
settings.register_profile("fuzz", deadline=None, max_examples=2_000)
settings.load_profile("build")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("reliability")
    group.addoption("--reliability-results", type=Path, help="run the tests that report figures, and keep those here")
    group.addoption("--full-size", action="store_true", help="in the sizes that docs/reliability.md names")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--reliability-results") is None:
        return
    reporting = [item for item in items if "reported" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in reporting])
    items[:] = reporting


@pytest.fixture
def reported(request: pytest.FixtureRequest) -> Reported:
    """See support/reported.py; a test that takes it is one of those that `make reliability` runs."""
    option = request.config.getoption
    return Reported(request.node.nodeid, full=option("--full-size"), folder=option("--reliability-results"))
