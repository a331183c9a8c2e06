"""What a test's program needs in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

_REPOSITORY = Path(__file__).parents[2]

CHILD_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_REPOSITORY), str(_REPOSITORY / "tests")])}
"""An environment in which a child imports what tests import: `support` and `benchmarks`."""
