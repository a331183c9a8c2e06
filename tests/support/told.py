"""Figures that a test measures: written where `pytest -rP` or `-s` shows them."""

from __future__ import annotations

import sys


def tell(figures: str) -> None:
    """One line of figures."""
    sys.stdout.write(f"{figures}\n")
