"""Cells and tables of the page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH = 120


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def paragraph(text: str) -> str:
    """Prose with the lines broken anew."""
    words = " ".join(text.split())
    return textwrap.fill(words, _WIDTH, break_on_hyphens=False, break_long_words=False)


def usd(value: float) -> str:
    """A cost per request."""
    return f"${value:.2g}"


def mark(met: bool) -> str:
    """Whether a target was met."""
    return "(met)" if met else "(**missed**)"


def points(figure: Mapping[str, Any], digits: int = 3) -> str:
    """A mean without its interval."""
    mean = figure["mean"]
    return "" if mean is None else f"{mean:.{digits}f}"


def interval(figure: Mapping[str, Any], *, signed: bool = False, digits: int = 4) -> str:
    """A mean and half the width of its interval."""
    mean, ends = figure["mean"], figure["ci"]
    if mean is None:
        return ""
    text = f"{mean:+.{digits}f}" if signed else f"{mean:.{digits}f}"
    return text if ends is None else f"{text} ± {(ends[1] - ends[0]) / 2:.{digits}f}"


def count(figure: Mapping[str, Any]) -> str:
    """The median of counts, the worst, and how often there was any if not always."""
    if figure["share"] == 0:
        return "never"
    middle = "—" if figure["median"] is None else f"{figure['median']:g}"
    worst = "" if figure["worst"] is None else f" (worst {figure['worst']:g})"
    return middle + worst + ("" if figure["share"] == 1 else f" in {figure['share']:.0%}")
