"""What the store's keys are called: the one place that decides on their hash tag.

All keys of a store carry the tag {name}, so that one script may write them together. That puts a whole store on one
node of a Cluster: it does not spread yet. The `feedback:` keys carry no tag, for their form is what other tools read;
a Cluster would refuse to write them in the same step.

Names are percent-encoded in keys, so that none can be mistaken for, or reach into, another's.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

POSITION_DIGITS = 16
"""Positions are written with leading zeros, so that members of equal score sort by them."""

US_PER_DAY = 86_400_000_000


class Key(NamedTuple):
    """A key and the type of what is kept there."""

    name: str
    type: str


def position_text(position: int) -> str:
    """A position as it is written."""
    return f"{position:0{POSITION_DIGITS}d}"


def feedback_key(workflow: str, stage: str, tier: str, feedback_id: str) -> Key:
    """The rating as other tools see it."""
    return Key(":".join(("feedback", *map(_escaped, (workflow, stage, tier, feedback_id)))), "string")


class Keys:
    """The keys of the store called `name`."""

    def __init__(self, name: str) -> None:
        self._prefix = f"tiercel:{{{_escaped(name)}}}:"
        self.progress = self._key("hash", "progress")
        """How far the log goes, and what became of it; see progress.py."""
        self.log = self._key("stream", "log")
        """The events; the id of an entry is its position and "-0"."""
        self.ids = self._key("hash", "ids")
        """kind:id -> position."""
        self.decisions = self._key("zset", "decisions")
        """Positions by time, as in `alerts`."""
        self.alerts = self._key("zset", "alerts")
        self.completions = self._key("zset", "completions")
        """The completion's id in JSON, a NUL and the outcome's position; all of score 0, so sorted by the text."""
        self.days = self._key("zset", "days")
        """The days that `day` is kept for."""

    def day(self, number: int) -> Key:
        """The positions of a day's events, in the order they arrived; `number` counts days since 1970."""
        return self._key("list", "day", str(number))

    def about(self, decision_id: str) -> Key:
        """What followed a decision: `o:` and an outcome's id, `f:` and the source of a rating in force -> position."""
        return self._key("hash", "about", decision_id)

    def history(self, workflow: str, stage: str, tier: str | None) -> Key:
        """Positions by time: of a tier's ratings in force, or (tier None) of a stage's that were revised."""
        if tier is None:
            return self._key("zset", "revised", workflow, stage)
        return self._key("zset", "history", workflow, stage, tier)

    def rated(self, workflow: str) -> Key:
        """Which histories a workflow has: [stage, tier] or [stage] in JSON."""
        return self._key("set", "rated", workflow)

    def state(self, layer: str) -> Key:
        """A layer of the learned state; see layers.py."""
        return self._key("hash", "state", layer)

    def _key(self, kind: str, *parts: str) -> Key:
        return Key(self._prefix + ":".join(map(_escaped, parts)), kind)


def _escaped(name: str) -> str:
    return quote(name, safe="", errors="surrogatepass")
